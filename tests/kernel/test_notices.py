"""What is noticed of the kernel: everything that concerns a router, and nothing of others."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from shlex import quote

import pytest

from nftnsr.kernel.notices import Files, Notices
from nftnsr.kernel.scope import Scope
from nftnsr.state.model import HOST, Namespace, State, Sysctl

from .conftest import sh

SYSCTLS = {
    HOST: ("net/ipv6/conf/v0/accept_ra",),
    "wan": ("net/ipv4/ip_forward", "net/ipv6/neigh/v1/proxy_delay"),
}
SCOPE = Scope.of(
    State({n: Namespace(tuple(Sysctl(p, "0") for p in paths)) for n, paths in SYSCTLS.items()})
)
KERNEL, NONE = frozenset({"kernel"}), frozenset[str]()


@pytest.fixture
def pair(box: None) -> None:
    """The host, a router called wan at the other end of a veth, and a namespace of somebody."""
    sh("""
      ip netns add wan; ip netns add other
      sysctl -qw net.ipv6.conf.default.disable_ipv6=1
      ip netns exec wan sysctl -qw net.ipv6.conf.default.disable_ipv6=1
      ip link add v0 type veth peer name v1 netns wan
      ip link set v0 up; ip -n wan link set v1 up
      ip -n wan address add 10.0.0.2/24 dev v1; ip address add 10.0.0.1/24 dev v0
    """)


@pytest.fixture
def notices(pair: None) -> Iterator[Notices]:
    yield from opened()


def opened(**more: int) -> Iterator[Notices]:
    read, write = os.pipe()
    with Notices(read, **more) as notices:
        notices.attend((SCOPE,))
        settled(notices)
        yield notices
    os.close(read)
    os.close(write)


def settled(notices: Notices) -> None:
    """Wait until the kernel has said all that it says of links that have come up."""
    quiet = 0
    while quiet < 3:
        quiet = 0 if notices.wait(0.3) else quiet + 1


def noticed(notices: Notices, command: str) -> frozenset[str]:
    sh(command)
    found = frozenset[str]()
    deadline = time.monotonic() + 0.2
    while (left := deadline - time.monotonic()) > 0:
        found |= notices.wait(left)
    return found


@pytest.mark.parametrize(
    "command",
    [
        "ip -n wan address del 10.0.0.2/24 dev v1",
        "ip -n wan link set v1 mtu 1400",
        "ip -n wan link set v1 down",
        "ip -n wan link del v1",
        "ip -n wan route add 10.9.0.0/16 via 10.0.0.1",
        "ip -n wan rule add from 10.9.0.0/16 table 7",
        "ip -n wan neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v1 nud permanent",
        "ip netns exec wan nft add table inet x",
        "ip netns exec wan sysctl -qw net.ipv4.ip_forward=1",
        "nsenter --net=/run/netns/wan sysctl -qw net.ipv4.conf.v1.rp_filter=2",
        "ip netns exec wan sysctl -qw net.ipv6.neigh.v1.proxy_delay=3",
        "ip netns del wan",
        "ip netns add third",
        "ip route add 10.9.0.0/16 via 10.0.0.2",
        "ip address add 10.0.0.3/24 dev v0",
        "sysctl -qw net.ipv6.conf.v0.accept_ra=0",
        "nft add table ip nftnsr_handover",
    ],
)
def test_change_of_a_router_or_its_host_is_noticed(notices: Notices, command: str) -> None:
    assert noticed(notices, command) == KERNEL


def test_neighbour_that_is_asked_for_is_noticed_when_it_goes(notices: Notices) -> None:
    sh("""
      for i in 8 9; do
        ip -n wan neigh add 10.0.0.$i lladdr 02:00:00:00:00:0$i dev v1 nud permanent
      done
    """)
    assert notices.attend((SCOPE,), {ip_address("10.0.0.9")}) is True
    settled(notices)
    assert noticed(notices, "ip -n wan neigh del 10.0.0.8 dev v1") == NONE
    assert noticed(notices, "ip -n wan neigh del 10.0.0.9 dev v1") == KERNEL


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "ip -n other link set lo up",
        "ip -n other address add 10.1.1.1/24 dev lo",
        "ip netns exec other nft add table inet x",
        "nft add table inet x",
        "ping -qc1 10.0.0.2; ip neigh flush dev v0",
        "mount -t tmpfs none /mnt; umount /mnt",
        "touch /run/netns/file",
        "sysctl -n net.ipv6.conf.v0.accept_ra",
        "sysctl -qw net.ipv6.conf.v0.hop_limit=60",
    ],
)
def test_what_concerns_no_router_is_not_noticed(notices: Notices, command: str) -> None:
    assert noticed(notices, command) == NONE


def test_memory_pressure_makes_no_sysctl_unheard(notices: Notices) -> None:
    sh("sync; echo 2 > /proc/sys/vm/drop_caches")
    changed = "ip netns exec wan sysctl -qw net.ipv6.neigh.v1.proxy_delay=4"
    assert noticed(notices, changed) == KERNEL


def test_namespace_that_is_listened_to_can_end(notices: Notices) -> None:
    """Its end of the veth goes with it, and so ours: nothing of ours keeps it."""
    sh("ip netns del wan")
    deadline = time.monotonic() + 20
    while "v0@" in sh("ip -o link"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_namespace_made_anew_is_heard_after_it_was_attended_to(notices: Notices) -> None:
    sh("ip netns del wan; ip netns add wan")
    assert notices.attend((SCOPE,)) is True
    assert notices.attend((SCOPE,)) is False
    settled(notices)
    assert noticed(notices, "ip netns exec wan nft add table inet x") == KERNEL
    assert noticed(notices, "ip netns exec wan sysctl -qw net.ipv4.ip_forward=1") == KERNEL


def test_attending_again_leaks_no_descriptor(notices: Notices) -> None:
    before = descriptors()
    for _ in range(20):
        notices.attend((SCOPE,))
    assert descriptors() == before


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_overrun_of_the_buffer_is_a_notice_and_not_the_last(pair: None) -> None:
    """What does not fit may have concerned anybody; what fits did not, or it would be noticed."""
    flood = "for i in {1..300}; do echo add table inet x$i; done | nft -f -; sleep 0.1"
    for notices in opened(buffer=2048):
        assert noticed(notices, flood) == KERNEL
        assert noticed(notices, "true") == NONE
        assert noticed(notices, "ip netns exec wan nft add table inet x") == KERNEL
    sh("nft flush ruleset")
    for notices in opened():
        assert noticed(notices, flood) == NONE


def test_files_are_noticed_by_name(notices: Notices, tmp_path: Path) -> None:
    here = Files(tmp_path, "spec.toml".__eq__, "files")
    notices.attend_to_files((here, Files(tmp_path / "absent", lambda _: True, "files")))
    assert noticed(notices, f"echo > {tmp_path}/spec.toml~") == NONE
    assert noticed(notices, f"echo > {tmp_path}/spec.toml") == frozenset({"files"})
    assert noticed(notices, f"cat {tmp_path}/spec.toml") == NONE
    replace = f"mv {tmp_path}/spec.toml~ {tmp_path}/spec.toml"
    assert noticed(notices, replace) == frozenset({"files"})
    assert noticed(notices, f"rm {tmp_path}/spec.toml") == frozenset({"files"})
    notices.attend_to_files(())
    assert noticed(notices, f"echo > {tmp_path}/spec.toml") == NONE


@pytest.mark.parametrize(
    ("limit", "setting"), [("instances", "max_user_instances"), ("watches", "max_user_watches")]
)
def test_limit_of_inotify_is_named_with_its_setting(box: None, limit: str, setting: str) -> None:
    """In a user namespace, which has limits of its own, so that nobody else meets them."""
    program = f"""
from pathlib import Path
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.inotify import MODIFY, Inotify
Path("/proc/sys/user/max_inotify_{limit}").write_text("0")
try:
    Inotify().watch("/proc", MODIFY)
except KernelError as error:
    print(error.hint)
"""
    told = sh(f"unshare --user --map-root-user {sys.executable} -c {quote(program)}")
    assert setting in told
