"""The uplink comes back: whoever holds the namespace, whatever it is called by now."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from nftnsr.kernel import rtnetlink
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.managers import managers
from nftnsr.kernel.namespaces import Room, holding
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state import operations as op
from nftnsr.state.difference import Change, NameNamespace, difference
from nftnsr.state.model import Link
from nftnsr.transaction import records
from nftnsr.transaction.apply import Refused, apply_spec, take_down
from nftnsr.transaction.intents import apply_intent
from nftnsr.transaction.transact import Outcome, Undone, recover

from .conftest import ARTICLE, Segment, assert_same, everything, sh, until_gone

# Each act has a machine of its own, as each command has: an open machine would hold namespaces.


def apply(spec: Spec) -> Outcome:
    with Machine() as machine:
        return apply_spec(machine, spec)


def down() -> Outcome:
    with Machine() as machine:
        return take_down(machine, [r for n in records.names() if (r := records.read(n))])


def drift(spec: Spec) -> tuple[object, ...]:
    with Machine() as machine:
        intent, found = apply_intent(machine, spec)
        return difference(intent.goal.wanted, found, intent.goal.ours)


@contextmanager
def sleeper(namespace: str = "ens3") -> Iterator[int]:
    """A process in the namespace, and in nothing else of it."""
    command = ["nsenter", f"--net=/run/netns/{namespace}", "sleep", "60"]
    with subprocess.Popen(command) as process:
        try:
            while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


@contextmanager
def open_socket(namespace: str = "ens3") -> Iterator[None]:
    """A socket of this process in the namespace, in which no process is."""
    with Room.named(namespace) as room:
        held = room.run(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    with held:
        yield


def test_down_returns_the_uplink_and_names_the_process_in_the_namespace(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    with sleeper() as pid:
        outcome = down()
        assert_same(everything(), before)
        assert Path(f"/proc/{pid}").exists()
        (remark,) = outcome.remarks
        assert remark.message == (
            f"namespace ens3 has lost its name and goes on, empty, for process {pid} (sleep)"
        )
        links = sh(f"nsenter --net=/proc/{pid}/ns/net ip -br link")
        assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    assert records.names() == ()


def test_down_names_sockets_files_and_mounts(segment: Segment, article: Spec) -> None:
    apply(article)
    other = Path("/var/lib/nftnsr/elsewhere")
    other.touch()
    sh(f"mount --bind /run/netns/ens3 {other}")
    me = f"process {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
    with open_socket(), Path("/run/netns/ens3").open():
        (remark,) = down().remarks
        assert f"a socket of {me}" in remark.message
        assert f"an open file of {me}" in remark.message
        assert f"a bind mount on {other}" in remark.message
    sh(f"umount {other}")


def test_down_without_holders_has_nothing_to_remark(segment: Segment, article: Spec) -> None:
    apply(article)
    assert down().remarks == ()


def test_number_of_an_ended_namespace_says_nothing_of_the_next_one_that_has_it(box: None) -> None:
    with Room.scratch() as room:
        inode, cookie = room.inode(), room.cookie()
        assert [h.inode for h in holding(inode, cookie)] == [inode]
        assert holding(inode, cookie + 1) == ()


@pytest.mark.parametrize("holder", [sleeper, open_socket])
def test_down_finds_a_namespace_that_was_deleted_but_lives_on(
    segment: Segment, article: Spec, holder: object
) -> None:
    before = everything()
    apply(article)
    with holder():  # type: ignore[operator]
        sh("ip netns del ens3")
        assert "ens3:" not in sh("ip -o link show type veth").replace("vens3", "")
        down()
        assert_same(everything(), before)
    assert records.names() == ()


@pytest.mark.parametrize("holder", [sleeper, open_socket])
def test_apply_gives_a_living_namespace_its_name_again(
    segment: Segment, article: Spec, holder: object
) -> None:
    before = everything()
    apply(article)
    applied = everything()
    with holder():  # type: ignore[operator]
        sh("ip netns del ens3")
        (missing,) = drift(article)
        assert isinstance(missing, NameNamespace)
        outcome = apply(article)
        assert [type(o) for o in outcome.operations] == [op.AttachNamespace]
    assert_same(everything(), applied)
    assert drift(article) == ()
    down()
    assert_same(everything(), before)


def test_a_namespace_of_another_machine_that_looks_the_same_is_not_taken(
    segment: Segment, article: Spec
) -> None:
    """A container may have the same router: only the one at the end of our veth is ours."""
    apply(article)
    with Room.scratch() as container, sleeper() as pid:
        sh(
            """
          ip link set lo alias nftnsr up
          ip link add ens3 address 02:00:00:00:00:03 type veth peer name p0
        """,
            container,
        )
        sh("ip -n ens3 link del ens3; ip netns del ens3")
        with pytest.raises(Refused, match="no interface ens3 any more"):
            apply(article)
        assert "ens3" in sh("ip -br link", container)
        assert "vens3" in sh(f"nsenter --net=/proc/{pid}/ns/net ip -br link")


def test_down_after_the_uplink_ended_with_its_namespace_cleans_up_and_says_so(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    sh("ip netns del ens3")
    until_gone("vens3")
    with pytest.raises(Refused, match="no interface ens3 any more, nor one of its address 02:"):
        apply(article)
    (remark,) = down().remarks
    assert remark.message.startswith("interface ens3 (02:00:00:00:00:03) is gone")
    assert "1.2.3.4/24" in remark.hint
    assert "default via 1.2.3.1" in remark.hint
    assert "vens3" not in sh("ip link")
    assert records.names() == ("ens3",)


def test_down_with_the_uplink_gone_from_a_living_namespace(segment: Segment, article: Spec) -> None:
    apply(article)
    sh("ip -n ens3 link del ens3")
    (remark,) = down().remarks
    assert "is gone" in remark.message
    assert "vens3" not in sh("ip link")
    assert sh("ip netns list") == ""


def test_uplink_that_came_back_bare_and_renamed_is_given_its_name_and_all_it_had(
    segment: Segment, article: Spec
) -> None:
    """As a NIC does whose name was taken when its namespace ended."""
    before = everything()
    apply(article)
    sh("""
      ip -n ens3 link set ens3 down; ip -n ens3 link set ens3 name dev2
      ip -n ens3 link set dev2 netns $$; ip netns del ens3
    """)
    until_gone("vens3")
    down()
    assert_same(everything(), before)


def test_renamed_uplink_on_the_host_is_taken_again_by_apply(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    sh("""
      ip -n ens3 link set ens3 down; ip -n ens3 link set ens3 name dev2
      ip -n ens3 link set dev2 netns $$; ip netns del ens3
    """)
    until_gone("vens3")
    outcome = apply(article)
    assert op.RenameLink("", "dev2", "ens3") in outcome.operations
    assert drift(article) == ()
    down()
    assert_same(everything(), before)


def test_uplink_renamed_in_the_namespace_is_named_by_diff_and_renamed_by_apply(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    applied = everything()
    sh("ip -n ens3 link set ens3 name foo")
    (renamed,) = drift(article)
    assert isinstance(renamed, Change)
    assert isinstance(renamed.old, Link)
    assert renamed.old.called == "foo"
    outcome = apply(article)
    assert outcome.operations[0] == op.RenameLink("ens3", "foo", "ens3")
    assert_same(everything(), applied)
    down()
    assert_same(everything(), before)


def test_uplink_is_renamed_where_the_kernel_renames_no_link_that_is_up(
    segment: Segment, article: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.2: it goes down for it, and loses all that must be given to it again."""
    apply(article)
    applied = everything()
    sh("ip -n ens3 link set ens3 name foo")
    call, refused = rtnetlink._call, []

    def busy(what: str, *arguments: object, **given: object) -> None:
        if "cannot rename" in what and not refused:
            refused.append(what)
            raise rtnetlink._InUse(what)
        call(what, *arguments, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(rtnetlink, "_call", busy)
    apply(article)
    assert refused
    assert_same(everything(), applied)


def test_down_returns_a_renamed_uplink(segment: Segment, article: Spec) -> None:
    before = everything()
    apply(article)
    sh("ip -n ens3 link set ens3 name foo")
    down()
    assert_same(everything(), before)


def test_undo_gives_a_renamed_uplink_the_name_it_was_found_by(
    segment: Segment, article: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(article)
    sh("ip -n ens3 link set ens3 name foo; ip -n ens3 address del 1.2.3.4/24 dev foo")
    found = everything()

    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nftnsr.transaction.transact.keep", refuse)
    with pytest.raises(BaseException):  # noqa: B017
        apply(article)
    monkeypatch.undo()
    with Machine() as machine:
        recover(machine)
    assert_same(everything(), found)


def test_another_link_of_the_uplinks_name_on_the_host_is_an_obstacle(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    sh("ip link add ens3 type veth peer name other")
    before = everything()
    assert drift(article) == ()
    with pytest.raises(Refused, match="another one is ens3 in host"):
        down()
    assert_same(everything(), before)


def test_down_refuses_while_somebody_elses_link_is_in_the_namespace(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    sh("ip -n ens3 link add br9 type bridge")
    with_bridge = everything()
    with pytest.raises(
        Refused, match=r"is interface br9 \(bridge\), which nftnsr did not make"
    ) as r:
        down()
    assert "ip -n ens3 link del br9" in r.value.obstacles[0].hint
    assert_same(everything(), with_bridge)
    sh("ip -n ens3 link del br9")
    down()
    assert_same(everything(), before)


def test_down_mentions_the_tables_that_ended_with_the_namespace(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    sh("ip netns exec ens3 nft add table inet mine")
    (remark,) = down().remarks
    assert "table inet mine" in remark.message


def test_uplink_that_is_down_and_without_addresses_is_taken_and_given_back_so(
    segment: Segment, article: Spec
) -> None:
    sh("ip address flush dev ens3; ip link set ens3 down")
    before = everything()
    apply(article)
    assert drift(article) == ()
    down()
    # A link that has never been up in its namespace has no queueing discipline yet.
    assert_same(everything().replace("qdisc noop ", "qdisc noqueue "), before)


def test_enslaved_uplink_is_refused(segment: Segment, article: Spec) -> None:
    sh("ip link add m0 type bridge; ip link set ens3 master m0")
    before = everything()
    with pytest.raises(Refused, match="interface ens3 belongs to bridge m0") as refusal:
        apply(article)
    assert "ip link set dev ens3 nomaster" in refusal.value.obstacles[0].hint
    assert_same(everything(), before)


def test_link_that_the_kernel_does_not_move_leaves_everything_as_found(box: None) -> None:
    sh("ip link add br7 address 02:00:00:00:00:07 type bridge")
    before = everything()
    with pytest.raises(Undone, match="cannot move link br7"):
        apply(parse(ARTICLE.replace('"ens3"\naddr', '"br7"\naddr'), "bridge.toml"))
    assert_same(everything(), before)


def test_first_apply_names_the_manager_of_the_uplink_and_later_ones_do_not(
    segment: Segment, article: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = sh("ip -o link show ens3").split(":")[0]
    mark = tmp_path / "run/NetworkManager/devices" / index
    mark.parent.mkdir(parents=True)
    mark.write_text("[device]\nmanaged=true\n")
    told = partial(managers, root=tmp_path)
    monkeypatch.setattr("nftnsr.kernel.machine.managers", told)
    (remark,) = apply(article).remarks
    assert remark.message.startswith("NetworkManager holds ens3")
    assert apply(parse(ARTICLE.replace("22/tcp", "23/tcp"), "b.toml")).remarks == ()


# -- the command line ---------------------------------------------------------------------------


def nftnsr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nftnsr", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def spec_file(tmp_path: Path) -> str:
    path = tmp_path / "a.toml"
    path.write_text(ARTICLE)
    return str(path)


def test_down_warns_on_stderr_and_in_json(segment: Segment, spec_file: str) -> None:
    assert nftnsr("apply", spec_file).returncode == 0
    with sleeper() as pid:
        done = nftnsr("down", "--json", "ens3")
    assert done.returncode == 0
    (warning,) = json.loads(done.stdout)["warnings"]
    assert f"process {pid} (sleep)" in warning["message"]
    assert f"nftnsr: warning: {warning['message']}" in done.stderr


LATE = """
  ip link add ens3 address 02:00:00:00:00:03 type veth peer name p0
  ip link set p0 up
"""


def test_apply_waits_for_an_uplink_that_is_late(box: None, spec_file: str) -> None:
    # A thread has the namespaces of the one that starts it.
    late = threading.Timer(1.5, sh, [LATE])
    late.start()
    done = nftnsr("apply", "--uplink-timeout", "20s", spec_file)
    late.join()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("waiting up to 20 s for interface ens3") == 1
    assert "ens3" in sh("ip -n ens3 -br link")


def test_apply_waits_no_longer_than_told(box: None, spec_file: str) -> None:
    done = nftnsr("apply", "--uplink-timeout", "500ms", spec_file)
    assert done.returncode == 2
    assert "there is no interface ens3" in done.stderr


def test_apply_that_waits_can_be_interrupted(box: None, spec_file: str) -> None:
    command = [sys.executable, "-m", "nftnsr", "apply", "--uplink-timeout", "60s", spec_file]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "waiting" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
        assert "interrupted" in process.stderr.read()
