"""The quick answer of `diff`: given while nothing changed, and never when it is not true."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nftnsr import cli
from nftnsr.commands import quick
from nftnsr.kernel import reading
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.reading import View
from nftnsr.kernel.scope import Scope
from nftnsr.spec.model import Spec
from nftnsr.state.model import State
from nftnsr.transaction import lock, seals
from nftnsr.transaction.witness import Witness

from .conftest import ARTICLE, Segment, sh
from .test_cli import DIFFERS, SAME, TROUBLE, command, environment, nftnsr

SEALS = Path(seals.DIRECTORY)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE)
    return path


@pytest.fixture
def sealed(segment: Segment, spec: Path) -> Path:
    """The article's router, applied, found in sync, and at rest."""
    assert cli.main(["apply", "--quiet", str(spec)]) == SAME
    seal(spec)
    return spec


def seal(*specs: Path) -> None:
    """Check until the quick answer holds: a link that came up brings things a moment later."""
    deadline = time.monotonic() + 20
    while answer(*specs) is None:
        assert time.monotonic() < deadline, "never sealed"
        assert full(*specs) == SAME
        time.sleep(0.02)


def answer(*specs: Path) -> int | None:
    """The quick answer, if there is one."""
    return quick.diff(["diff", *map(str, specs)])


def full(*specs: Path) -> int:
    return cli.main(["diff", "--quiet", *map(str, specs)])


QUICK = (
    f'import sys; sys.path.insert(0, "{Path(__file__).parents[2]}"); '
    "from nftnsr.commands import quick; print(quick.diff(sys.argv[1:]))"
)


# -- what it is ----------------------------------------------------------------------------


def imported(*arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """A run of the program, and what it imported."""
    program = [sys.executable, "-X", "importtime", "-m", "nftnsr", *map(str, arguments)]
    done = subprocess.run(program, capture_output=True, text=True, env=environment(), timeout=60)
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return done, {line.rpartition("|")[2].strip() for line in lines}


def test_what_is_in_sync_and_untouched_is_answered_without_the_program(sealed: Path) -> None:
    done, modules = imported("diff", sealed)
    assert (done.returncode, done.stdout) == (SAME, "")
    assert not modules & {"attr", "cattrs", "tomli", "pyroute2", "argparse", "pathlib", "typing"}
    done, modules = imported("diff", "--full", sealed)
    assert (done.returncode, done.stdout) == (SAME, "")
    assert modules >= {"attr", "pyroute2", "argparse"}


def test_quick_answer_is_the_same_document(sealed: Path) -> None:
    words = ["diff", "--json", str(sealed)]
    quickly, slowly = nftnsr(*words), nftnsr(*words, "--full")
    assert "pyroute2" not in imported(*words)[1]
    assert quickly == slowly
    assert quickly.document["same"] is True


def test_seals_are_for_root_only(sealed: Path) -> None:
    (path,) = SEALS.iterdir()
    assert [p.stat().st_mode & 0o777 for p in (SEALS, path)] == [0o700, 0o600]
    os.seteuid(65534)
    try:
        assert answer(sealed) is None
    finally:
        os.seteuid(0)
    assert answer(sealed) == SAME


def test_cost_of_a_seal_does_not_grow_with_the_forwards(segment: Segment, spec: Path) -> None:
    """What is read of 3000 forwards is what is read of one: the seals are of one size."""
    sizes = []
    for count in (1, 3000):
        ports = ", ".join(f'"{port}/tcp"' for port in range(22, 22 + count))
        spec.write_text(ARTICLE.replace('"22/tcp"', ports))
        assert cli.main(["apply", "--quiet", str(spec)]) == SAME
        seal(spec)
        (path,) = SEALS.iterdir()
        sizes.append(len(path.read_bytes()))
    assert abs(sizes[1] - sizes[0]) < 1000


# -- what breaks it ------------------------------------------------------------------------

IN = "ip netns exec ens3"
CHANGES = {
    # the ruleset
    "ruleset flushed": (f"{IN} nft flush ruleset", DIFFERS),
    "rule added": (f"{IN} nft add rule inet nftnsr forward accept", DIFFERS),
    "rules flushed": (f"{IN} nft flush chain inet nftnsr prerouting", DIFFERS),
    "policy": (f"{IN} nft chain inet nftnsr forward '{{ policy accept; }}'", DIFFERS),
    "chain added": (f"{IN} nft add chain inet nftnsr other", DIFFERS),
    "element deleted": (
        f"{IN} nft delete element inet nftnsr forward_ipv4 '{{ tcp . 22 }}'", DIFFERS),
    "element added": (
        f"{IN} nft add element inet nftnsr forward_ipv4 '{{ tcp . 23 : 10.1.1.1 . 23 }}'",
        DIFFERS),
    "element that times out": (
        f"{IN} nft add set inet nftnsr guests '{{ type ipv4_addr; flags timeout; }}'; "
        f"{IN} nft add element inet nftnsr guests '{{ 10.0.0.1 timeout 1s }}'", DIFFERS),
    "handover begins": ("nft add table ip nftnsr_handover_ens3", SAME),
    # routes
    "default route deleted": ("ip -n ens3 route del default", DIFFERS),
    "IPv6 default route deleted": ("ip -n ens3 -6 route del default", DIFFERS),
    "next hop": ("ip -n ens3 route change default via 1.2.3.9 proto 110", DIFFERS),
    "metric of a second route": (
        "ip -n ens3 route add 10.9.9.0/24 via 192.168.158.2 proto 110 metric 9", DIFFERS),
    "route of another table": (
        "ip -n ens3 route add default via 1.2.3.1 table 9 proto 110", DIFFERS),
    "host's default route deleted": ("ip route del default", DIFFERS),
    "host's IPv6 default route deleted": ("ip -6 route del default", DIFFERS),
    "host's default route over another link": (
        "ip link add u0 type veth peer name u1; ip address add 10.7.7.1/24 dev u0; "
        "ip link set u0 up; ip route replace default via 10.7.7.2", DIFFERS),
    "policy rule": ("ip -n ens3 rule add from 10.0.0.0/8 table 9", None),
    # addresses
    "uplink's address deleted": ("ip -n ens3 address del 1.2.3.4/24 dev ens3", DIFFERS),
    "uplink's address with another prefix": (
        "ip -n ens3 address del 2123:2134:abc:ddd::3/64 dev ens3; "
        "ip -n ens3 address add 2123:2134:abc:ddd::3/80 dev ens3 nodad", DIFFERS),
    "router's veth address deleted": ("ip -n ens3 address del 192.168.158.1/24 dev vens3", DIFFERS),
    "host's address deleted": ("ip address del 192.168.158.2/24 dev vens3", DIFFERS),
    "host's IPv6 address deleted": ("ip address del 2123:2134:abc:ddd::2/128 dev vens3", DIFFERS),
    "foreign address": ("ip -n ens3 address add 10.5.5.5/32 dev ens3", None),
    "address that will end": (
        "ip -n ens3 address change 1.2.3.4/24 dev ens3 valid_lft 3600 preferred_lft 3600", DIFFERS),
    "address kept for connections": ("ip address add 1.2.3.4/32 dev lo label lo:nftnsr", SAME),
    # links
    "uplink down": ("ip -n ens3 link set ens3 down", DIFFERS),
    "router's veth down": ("ip -n ens3 link set vens3 down", DIFFERS),
    "host's veth down": ("ip link set vens3 down", DIFFERS),
    "router's veth MTU": ("ip -n ens3 link set vens3 mtu 1400", DIFFERS),
    "host's veth MTU": ("ip link set vens3 mtu 1400", DIFFERS),
    "host's veth MAC": ("ip link set vens3 address 02:00:00:00:00:99", None),
    "uplink's alias": ("ip -n ens3 link set ens3 alias other", None),
    "uplink renamed": (
        "ip -n ens3 link set ens3 down; ip -n ens3 link set ens3 name e7", DIFFERS),
    "uplink moved out": ("ip -n ens3 link set ens3 netns 1", None),
    "veth deleted": ("ip link del vens3", DIFFERS),
    "foreign link inside": ("ip -n ens3 link add x0 type veth peer name x1", None),
    "mark of the namespace": ("ip -n ens3 link set lo alias mine", DIFFERS),
    # settings
    "forwarding": (f"{IN} sysctl -qw net.ipv4.ip_forward=0", DIFFERS),
    "IPv6 forwarding": (f"{IN} sysctl -qw net.ipv6.conf.all.forwarding=0", DIFFERS),
    "setting of a link": (f"{IN} sysctl -qw net.ipv4.conf.ens3.rp_filter=2", DIFFERS),
    "setting of no notice": (
        f"{IN} sysctl -qw net.ipv4.conf.all.promote_secondaries=0", DIFFERS),
    "host's setting": ("sysctl -qw net.ipv6.conf.vens3.addr_gen_mode=0", DIFFERS),
    # neighbours
    "proxied neighbour deleted": (
        "ip -n ens3 neigh del proxy 2123:2134:abc:ddd::2 dev ens3", DIFFERS),
    "permanent neighbour": (
        "ip -n ens3 neigh add 1.2.3.8 lladdr 02:00:00:00:00:08 nud permanent dev ens3", None),
    # namespaces
    "namespace deleted": ("ip -n ens3 link set ens3 netns 1; ip netns del ens3", None),
    "namespace of the same name": ("ip netns del ens3; ip netns add ens3", DIFFERS),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_change_breaks_the_seal(sealed: Path, what: str) -> None:
    change, status = CHANGES[what]
    # `1` names the namespace of init(1): here it is that of the test.
    sh(change.replace("netns 1", f"netns {os.getpid()}"))
    assert answer(sealed) is None
    said = full(sealed)
    # None: whether it is drift, other tests say.
    assert said == status if status is not None else said in (SAME, DIFFERS, TROUBLE)


def test_same_router_in_another_namespace_breaks_the_seal(sealed: Path) -> None:
    """Down to the generation of the ruleset, which begins anew with the namespace."""
    assert cli.main(["down", "ens3"]) == SAME
    assert cli.main(["apply", str(sealed)]) == SAME
    assert answer(sealed) is None
    assert full(sealed) == SAME


def test_namespace_made_again_is_another_even_if_alike(segment: Segment) -> None:
    """The generation of a ruleset begins anew with its namespace."""
    look: View = {name: {"sysctls": ["net/ipv4/ip_forward"]} for name in ("", "twin")}
    look[""] |= {"links": [], "macs": [], "tables": [], "labels": []}
    make = "ip netns add twin; ip -n twin link set lo up; ip netns exec twin nft add table ip t"
    sh(make)
    once, again = reading.kernel(look), reading.kernel(look)
    assert once == again
    sh(f"ip netns del twin; {make}")
    assert reading.kernel(look) != once


def test_seal_lasts_a_day(sealed: Path) -> None:
    """So that no generation of 32 bits can come round."""
    (path,) = SEALS.iterdir()
    older = json.loads(path.read_text())
    older["clock"] -= 24 * 3600
    path.write_text(json.dumps(older))
    assert answer(sealed) is None
    older["clock"] += 60
    path.write_text(json.dumps(older))
    assert answer(sealed) == SAME


def test_edited_spec_breaks_the_seal_whatever_its_date(sealed: Path) -> None:
    status = sealed.stat()
    sealed.write_text(ARTICLE.replace('"22/tcp"', '"23/tcp"'))
    os.utime(sealed, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sealed.stat().st_size == status.st_size
    assert answer(sealed) is None
    assert full(sealed) == DIFFERS
    sealed.write_text(ARTICLE)
    assert answer(sealed) == SAME  # it was sealed with these words


def test_damaged_spec_is_told(sealed: Path) -> None:
    sealed.write_text(ARTICLE + "\nnonsense")
    assert answer(sealed) is None
    assert full(sealed) == TROUBLE


def test_edited_block_list_breaks_the_seal(segment: Segment, spec: Path) -> None:
    """It is no spec, but it says what is wanted."""
    blocked = spec.with_name("blocked.txt")
    blocked.write_text("192.0.2.0/24\n")
    spec.write_text(f'{ARTICLE}\n[router.ens3.filter]\nblocklists = {{ some = "blocked.txt" }}\n')
    # Within a test the process is older than the list: as a rule it is not.
    assert nftnsr("apply", "--quiet", spec).status == SAME
    while answer_of_process(spec) == "None":
        assert nftnsr("diff", spec).status == SAME
    blocked.write_text("198.51.100.0/24\n")
    assert answer_of_process(spec) == "None"
    assert nftnsr("diff", spec).status == DIFFERS


def answer_of_process(spec: Path) -> str:
    """The quick answer of a process of its own."""
    return sh(f"{sys.executable} -c '{QUICK}' diff {spec}").strip()


def test_spec_added_to_the_usual_place_breaks_the_seal(segment: Segment) -> None:
    usual = Path("/etc/nftnsr")
    (usual / "a.toml").write_text(ARTICLE)
    assert cli.main(["apply"]) == SAME
    seal()
    assert quick.diff(["diff"]) == SAME
    (usual / "b.toml").write_text("")
    assert quick.diff(["diff"]) is None
    (usual / "b.toml").unlink()
    assert quick.diff(["diff"]) == SAME
    (usual / "a.toml").unlink()
    assert quick.diff(["diff"]) is None


@pytest.mark.parametrize(("words", "status"), [(None, SAME), ("{", TROUBLE)])
def test_record_breaks_the_seal(sealed: Path, words: str | None, status: int) -> None:
    record = Path("/var/lib/nftnsr/ens3.json")
    record.unlink() if words is None else record.write_text(words)
    assert answer(sealed) is None
    assert full(sealed) == status


def test_journal_breaks_the_seal(sealed: Path) -> None:
    shutil.copy("/run/nftnsr/last", "/run/nftnsr/journal")
    assert answer(sealed) is None
    assert full(sealed) == DIFFERS
    Path("/run/nftnsr/journal").unlink()
    assert answer(sealed) == SAME


def test_change_under_way_is_told(sealed: Path) -> None:
    with lock.lock():
        assert answer(sealed) is None
        assert nftnsr("diff", "--json", sealed).document["changing"] == str(os.getpid())
    assert answer(sealed) == SAME


def test_other_code_breaks_the_seal(sealed: Path, tmp_path: Path) -> None:
    """Of this program, or of a library of the same version: it might answer otherwise."""
    package = Path(cli.__file__).parent
    shutil.copytree(package, tmp_path / "other" / "nftnsr")
    program = [sys.executable, "-c", QUICK.replace(str(package.parent), str(tmp_path / "other"))]

    def other() -> str:
        done = subprocess.run([*program, "diff", sealed], capture_output=True, text=True, cwd="/")
        return done.stdout.strip()

    assert other() == "None"
    (path,) = SEALS.iterdir()
    assert answer(sealed) == SAME
    changed = json.loads(path.read_text())
    library = next(name for name in changed["names"] if "libnftables" in name)
    assert any("pyroute2" in name for name in changed["names"])
    changed["names"].remove(library)
    path.write_text(json.dumps(changed))
    assert answer(sealed) is None


def test_host_in_another_namespace_is_another_host(sealed: Path) -> None:
    assert answer_of_process(sealed) == str(SAME)
    done = sh(f"unshare --net {sys.executable} -c '{QUICK}' diff {sealed}")
    assert done.strip() == "None"


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", "{}", '{"files": 3}', "\0" * 4096])
def test_damaged_seal_is_no_answer_and_no_failure(sealed: Path, damage: str) -> None:
    (path,) = SEALS.iterdir()
    path.write_text(damage)
    assert answer(sealed) is None
    assert nftnsr("diff", sealed).status == SAME
    assert json.loads(path.read_text())["document"]["same"] is True


def test_spec_that_is_no_file_is_read_once_only(sealed: Path) -> None:
    """A quick answer that reads a pipe would take its contents away from the check."""
    words = f"{' '.join(command('diff', '/dev/stdin'))} < <(cat {sealed})"
    for _ in range(2):
        assert sh(f"export PYTHONPATH={Path(cli.__file__).parents[1]}; {words}") == ""
    assert len(list(SEALS.iterdir())) == 1


# -- what is never sealed ------------------------------------------------------------------


def unsealed(spec: Path) -> bool:
    """Whether a check finds the router in sync and still seals nothing."""
    for path in SEALS.iterdir() if SEALS.is_dir() else ():
        path.unlink()
    assert full(spec) == SAME
    return answer(spec) is None and not (SEALS.is_dir() and list(SEALS.iterdir()))


def test_handover_is_not_sealed(segment: Segment, spec: Path) -> None:
    """It ends with its connections, which no reading tells."""
    with ExitStack() as stack:
        far = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        near = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        near.bind(("1.2.3.4", 0))
        near.connect(("1.2.3.1", 9))
        assert far.fileno() > 0
        assert cli.main(["apply", "--quiet", str(spec)]) == SAME
        assert "lo:nftnsr" in sh("ip address show dev lo")
        assert unsealed(spec)
    assert cli.main(["apply", "--quiet", str(spec)]) == SAME
    seal(spec)


def test_unconfirmed_apply_is_not_sealed(segment: Segment, spec: Path) -> None:
    assert cli.main(["apply", "--quiet", "--confirm", "60s", str(spec)]) == SAME
    try:
        assert unsealed(spec)
    finally:
        assert cli.main(["confirm"]) == SAME
    seal(spec)


def test_drift_is_not_sealed(sealed: Path) -> None:
    (path,) = SEALS.iterdir()
    path.unlink()
    sh("ip -n ens3 route del default")
    assert full(sealed) == DIFFERS
    assert not list(SEALS.iterdir())


@pytest.mark.parametrize("meanwhile", [
    "ip -n ens3 route add 10.8.0.0/16 via 1.2.3.1",
    f"{IN} nft add table ip other",
    "ip link set vens3 mtu 1400",
    "touch /var/lib/nftnsr/other.json",
    # What comes and goes: the check may have seen it, or may not.
    "ip -n ens3 route del default; ip -n ens3 route add default via 1.2.3.1 proto 110",
    "ip -n ens3 link set lo mtu 1400; ip -n ens3 link set lo mtu 65536",
    f"{IN} sysctl -qw net.ipv4.conf.all.promote_secondaries=0; "
    f"{IN} sysctl -qw net.ipv4.conf.all.promote_secondaries=1",
])  # fmt: skip
def test_change_during_the_check_is_not_sealed(
    sealed: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    (path,) = SEALS.iterdir()
    path.unlink()
    observe = Machine.observe

    def slow(machine: Machine, scope: Scope) -> State:
        found = observe(machine, scope)
        sh(meanwhile)
        return found

    monkeypatch.setattr(Machine, "observe", slow)
    assert full(sealed) == SAME
    assert not list(SEALS.iterdir())


def test_seals_that_cannot_be_written_do_no_harm(sealed: Path) -> None:
    shutil.rmtree(SEALS)
    SEALS.write_text("in the way")
    assert nftnsr("diff", sealed) == nftnsr("diff", "--full", sealed)
    assert nftnsr("diff", sealed).status == SAME


def test_old_seals_are_forgotten(sealed: Path, tmp_path: Path) -> None:
    for number in range(40):
        (SEALS / f"{number}").write_text("")
        os.utime(SEALS / f"{number}", (number, number))
    other = tmp_path / "other.toml"
    shutil.copy(sealed, other)
    seal(other)
    assert answer(sealed) == SAME
    assert len(list(SEALS.iterdir())) == 32


# -- what does not break it ----------------------------------------------------------------


@pytest.fixture
def server(segment: Segment) -> Iterator[socket.socket]:
    with socket.create_server(("0.0.0.0", 22)) as made:
        made.settimeout(10)
        yield made


def visit(segment: Segment, server: socket.socket) -> None:
    """A client of the provider's segment asks the forwarded server something."""

    def ask() -> socket.socket:
        return socket.create_connection(("1.2.3.4", 22), timeout=10)

    with segment.provider.run(ask) as client, server.accept()[0] as accepted:
        client.sendall(b"?" * 5000)
        assert accepted.recv(1)
        accepted.sendall(b"!")
        assert client.recv(1) == b"!"


HARMLESS: dict[str, Callable[[], object]] = {
    "a foreign link of the host": lambda: sh(
        "ip link add pod0 type veth peer name pod1; ip link set pod0 up; "
        "ip address add 10.244.0.1/24 dev pod0; ip route add 10.245.0.0/24 dev pod0; "
        "ip neigh add 10.244.0.9 lladdr 02:00:00:00:00:09 dev pod0"
    ),
    "a foreign table of the host": lambda: sh(
        "nft add table ip docker; nft add chain ip docker c '{ type nat hook postrouting "
        "priority 100; }'"
    ),
    "a foreign setting of the host": lambda: sh("sysctl -qw net.ipv4.ip_forward=1"),
    "a foreign namespace": lambda: sh("ip netns add other; ip -n other link set lo up"),
    "a neighbour that is learnt": lambda: sh(
        "ip -n ens3 neigh add 1.2.3.66 lladdr 02:00:00:00:00:66 nud stale dev ens3"
    ),
    "looks at it": lambda: sh("ip -s -n ens3 link; ip netns exec ens3 nft list ruleset; ip a"),
    "a socket in it": lambda: sh(f"{IN} bash -c 'exec 3<>/dev/udp/1.2.3.1/9; echo >&3'"),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_harmless_event_leaves_the_seal(sealed: Path, what: str) -> None:
    HARMLESS[what]()
    assert answer(sealed) == SAME
    assert full(sealed) == SAME


def test_traffic_leaves_the_seal(segment: Segment, sealed: Path, server: socket.socket) -> None:
    for _ in range(3):
        visit(segment, server)
        sh("ping -c1 -W5 1.2.3.1 >/dev/null")
    assert "packets" in sh("ip netns exec ens3 nft list map inet nftnsr forward_ipv4")
    assert answer(sealed) == SAME
    assert "pyroute2" not in imported("diff", sealed)[1]


def test_witness_without_a_reading_seals_nothing(sealed: Path) -> None:
    """As where the namespace is gone before it could be read."""
    (path,) = SEALS.iterdir()
    path.unlink()
    witness = Witness.of([str(sealed)])
    witness.seal({}, Spec(()), Scope.of(State({})), State({}))
    assert not list(SEALS.iterdir())
