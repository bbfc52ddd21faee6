"""Whatever ends a rehearsal, nothing of it stays, and the machine never sees any of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from nftnsr.kernel import namespaces
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.isolation import isolate
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import Result, Stage, World, rehearse
from nftnsr.spec.model import Forward, Inner, Ports, Router, Spec, Uplink

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

SPEC = Spec(
    (
        Router(
            name="ens3",
            uplinks=(Uplink("ens3", (ip_interface("1.2.3.4/24"),), (ip_address("1.2.3.1"),)),),
            host=Inner(
                interface="vens3",
                addresses=(ip_interface("192.168.158.2/24"),),
                router_addresses=(ip_interface("192.168.158.1/24"),),
            ),
            forward=(Forward((Ports(22, 22),)),),
        ),
    )
)


def mark(_: Spec) -> None:
    """What an apply could leave behind, if it could leave anything behind."""
    namespaces.create("ens3", lambda: None)
    for directory in ("/run/nftnsr", "/var/lib/nftnsr"):
        (Path(directory) / "rehearsed").touch()


def traces() -> list[str]:
    places = ("/run/netns/ens3", "/run/nftnsr/rehearsed", "/var/lib/nftnsr/rehearsed")
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    return [p for p in places if Path(p).exists()] + [n for n in ("ens3", "inner0") if n in links]


def children() -> list[int]:
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]


def session(leader: int) -> list[int]:
    """The processes of the session that `leader` began."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may end at any moment
            # The name in parentheses may hold anything, so what follows is read from the right.
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                found.append(int(path.parent.name))
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rehearsal_leaves_no_trace() -> None:
    streamed: list[Stage | Result] = []
    rehearsal = rehearse(SPEC, mark, streamed.append)
    assert not rehearsal.ok
    stages = [each for each in streamed if isinstance(each, Stage)]
    results = [each for each in streamed if isinstance(each, Result)]
    assert sorted(results, key=repr) == sorted(rehearsal.results, key=repr)
    assert [stage.name for stage in stages] == ["world", "apply", "probes"]
    assert sum(number for _, _, number in stages[-1].planned) == len(results)
    assert traces() == []
    assert children() == []


def test_trouble_in_apply_is_raised_with_its_message() -> None:
    def refuse(_: Spec) -> None:
        mark(_)
        raise KernelError("no such thing", "buy one")

    def stumble(_: Spec) -> None:
        raise ValueError("an odd value")

    with pytest.raises(KernelError, match="no such thing") as refused:
        rehearse(SPEC, refuse)
    assert refused.value.hint == "buy one"
    with pytest.raises(KernelError, match="an odd value") as stumbled:
        rehearse(SPEC, stumble)
    assert "in stumble" in "".join(stumbled.value.__notes__)
    assert traces() == []


def test_death_of_the_child_is_reported() -> None:
    def die(_: Spec) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(KernelError, match="SIGKILL"):
        rehearse(SPEC, die)


def test_interrupt_in_the_parent_ends_the_child() -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehearse(SPEC, mark, interrupt)
    assert children() == []
    assert traces() == []


SLEEPER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_rehearsal_process import SPEC, mark
from nftnsr.rehearsal import rehearse

def apply(spec):
    mark(spec)
    print("applied", flush=True)
    time.sleep(60)

rehearse(SPEC, apply)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_to_the_parent_ends_everything(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SLEEPER, str(Path(__file__).parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "applied\n"
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert session(int(child)) == [int(child)]
        parent.send_signal(number)
    # Told by their session: the number of a namespace that has ended is given to the next one.
    wait_until(lambda: session(int(child)) == [])
    assert traces() == []


def test_missing_state_directory_is_not_made() -> None:
    state = Path("/var/lib/nftnsr")

    def without_directory() -> None:
        # Seen by this room only: an empty /var/lib, in which somebody then rehearses.
        isolate()
        subprocess.run(["mount", "-t", "tmpfs", "none", str(state.parent)], check=True)
        rehearse(SPEC, mark)
        assert not state.exists()

    with Room.here() as room:
        room.run(without_directory)


def test_world_ends_with_its_links() -> None:
    with Room.here() as room:
        room.run(isolate)
        for _ in range(2):
            with World(SPEC, room):
                assert "ens3" in room.run(subprocess.getoutput, "ip link")
            assert "ens3" not in room.run(subprocess.getoutput, "ip link")


def test_world_runs_real_programs() -> None:
    with Room.here() as room:
        room.run(isolate)
        with World(SPEC, room) as world:
            ping = world.internet.run(
                subprocess.run, ["ping", "-c", "1", "-W", "2", "1.2.3.4"], capture_output=True
            )
            assert ping.returncode == 0


def rehearse_in(root: Path, prepare: str) -> subprocess.CompletedProcess[str]:
    """Rehearse the article in a chroot to `root`, which has all that / has, once it is prepared."""
    article = Path(__file__).parents[2] / "rulesets" / "article.toml"
    script = f"""
      mkdir -p {root}; {prepare}; cd /
      for name in *; do
        if [ -h $name ]; then cp -df $name {root}/
        elif [ -d $name ]; then mkdir -p {root}/$name; mount --rbind /$name {root}/$name; fi
      done
      chroot {root} {sys.executable} -m nftnsr rehearse {article}
    """
    command = ["unshare", "--mount", "bash", "-ec", script]
    return subprocess.run(command, capture_output=True, text=True)


def test_chroot_whose_root_is_no_mount_point_is_named_with_the_repair(tmp_path: Path) -> None:
    root = tmp_path / "root"
    refused = rehearse_in(root, ":")
    assert refused.returncode == 2
    assert "/ is no mount point" in refused.stderr and "mount --bind" in refused.stderr
    assert rehearse_in(root, f"mount --bind {root} {root}").returncode == 0
