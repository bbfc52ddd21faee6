"""Kernel tests run in namespaces of their own, made anew for every test.

Each test gets a fresh network namespace (its "host") and a mount namespace with empty
directories where nftnsr and ip-netns(8) keep their names; both end with the test. So no test can
touch the machine's own network, whatever it does, and none sees what another left.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from shlex import quote

import pytest
from attrs import frozen

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.rtnetlink import see_carrier
from nftnsr.spec import parse
from nftnsr.spec.model import Spec, Uplink

_CLONE_NEWNS, _CLONE_NEWNET = 0x20000, 0x40000000
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
_OWN = ("/run/netns", "/run/nftnsr", "/var/lib/nftnsr", "/etc/nftnsr")
_libc = ctypes.CDLL(None, use_errno=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("kernel")


@pytest.fixture(autouse=True)
def box() -> None:
    """A fresh network and mount namespace for this test."""
    if os.geteuid() != 0:
        reason = "kernel tests need root: they make network namespaces"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    new_box()


def new_box() -> None:
    """Move to namespaces in which there is nothing yet."""
    _check(_libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS))
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    for directory in _OWN:
        Path(directory).mkdir(parents=True, exist_ok=True)
        _check(_libc.mount(b"none", directory.encode(), b"tmpfs", 0, None))
    # Without duplicate detection a link-local address is there at once, not after a second or two.
    sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0")


def sh(command: str, room: Room | None = None, *, check: bool = True) -> str:
    """Run a shell command in the host, or in a room; returns what it printed."""
    run = subprocess.run if room is None else lambda *a, **k: room.run(subprocess.run, *a, **k)
    done = run(["bash", "-ec", command], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return str(done.stdout)


@frozen
class Segment:
    """The layer-2 segment of the uplink: `provider` has its other end, called p0."""

    provider: Room


@pytest.fixture
def segment(box: None) -> Iterator[Segment]:
    """A host with a configured uplink ens3, as the article's VPS has it before the first apply."""
    with Room.scratch() as provider:
        add_uplink(provider)
        yield Segment(provider)


def add_link_for(uplink: Uplink, number: int) -> str:
    """Give the host the link that an uplink is, or is made upon; its other end is p`number`."""
    made = uplink.made
    dev = uplink.dev if made is None else made.parent or f"port{number}"
    sh(f"ip link add name {dev} up type veth peer name p{number}; ip link set p{number} up")
    see_carrier(dev)  # or the kernel makes its IPv6 routes up to a second later
    if made is not None and made.bridge is not None:
        sh(f"ip link add name {made.bridge} up type bridge; ip link set {dev} master {made.bridge}")
    return dev


def add_namespaces_for(spec: Spec) -> None:
    """Make those of somebody else's in which inner links of `spec` end."""
    inner = (link for router in spec.routers for link in router.inner)
    for name in sorted({link.namespace for link in inner if link.namespace is not None}):
        sh(f"ip netns add {name}")


def add_uplink(provider: Room) -> None:
    """Give the host its uplink, whose other end the provider has."""
    # ip(8) takes the number of a thread, too, for the namespace it is in.
    thread = provider.run(lambda: Path("/proc/thread-self").readlink().name)
    sh(f"""
      ip link add ens3 address 02:00:00:00:00:03 mtu 1450 type veth peer name p0
      ip link set p0 netns {thread}
      ip link set ens3 alias 'the uplink' txqueuelen 500
      ip address add 1.2.3.4/24 broadcast 1.2.3.255 dev ens3
      ip address add 1.2.3.5/24 broadcast 1.2.3.255 label ens3:1 dev ens3
      ip address add 2123:2134:abc:ddd::2/64 dev ens3 nodad
      sysctl -qw net.ipv4.conf.ens3.rp_filter=2 net.ipv6.conf.ens3.accept_ra=0
      ip link set ens3 up
      ip route add default via 1.2.3.1 dev ens3
      ip route add 10.9.0.0/16 via 1.2.3.9 metric 5 mtu 1300
      ip -6 route add default via 2123:2134:abc:ddd::1 dev ens3
      ip neigh add 1.2.3.77 lladdr 02:00:00:00:00:77 dev ens3 nud permanent
    """)
    sh(
        """
      ip link set lo up
      ip address add 1.2.3.1/24 dev p0
      ip address add 2123:2134:abc:ddd::1/64 dev p0 nodad
      ip link set p0 up
    """,
        provider,
    )
    see_carrier("ens3")  # or the kernel makes its IPv6 routes up to a second later
    provider.run(see_carrier, "p0")


ARTICLE = """
[router.ens3]
uplink    = "ens3"
addresses = ["1.2.3.4/24", "2123:2134:abc:ddd::3/64"]
gateways  = ["1.2.3.1", "2123:2134:abc:ddd::1"]
forward   = ["22/tcp"]

[router.ens3.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2123:2134:abc:ddd::2/128"]
router_addresses = ["192.168.158.1/24"]
"""


@pytest.fixture
def article() -> Spec:
    return parse(ARTICLE, "article.toml")


@pytest.fixture
def machine(box: None) -> Iterator[Machine]:
    with Machine() as machine:
        yield machine


def until_gone(link: str) -> None:
    """Wait for a link to go; it does so in the kernel's own time after its namespace ended."""
    deadline = time.monotonic() + 20
    while f" {link}: " in sh("ip -o link").replace("@", ": "):
        assert time.monotonic() < deadline, f"{link} is still there"
        time.sleep(0.01)


def everything() -> str:
    """All of the host and of every named namespace that a person could look at, as one text."""
    parts = [_space("")]
    for name in sh("ip netns list").split("\n"):
        if name.strip():
            parts.append(_space(name.split()[0]))
    return "\n".join(parts)


def assert_same(now: str, before: str) -> None:
    """Compare two texts of `everything`, and show only what differs."""
    lines = unified_diff(before.splitlines(), now.splitlines(), "before", "now", n=0, lineterm="")
    if difference := "\n".join(lines):
        pytest.fail(difference, pytrace=False)


def _space(name: str) -> str:
    inside = f"ip netns exec {name} " if name else ""
    # What the kernel does by itself and in its own time is left out: carrier, link-local routes.
    script = r"""
      echo "== $0"
      ip -o -d link show | sort -k2,2 | sed 's/^[0-9]*: //; s/@if[0-9]*//; s/ promiscuity.*//
        s/link-netn.*//; s/NO-CARRIER,//; s/,LOWER_UP//; s/state [A-Z]*//'
      ip -o address show | sed 's/^[0-9]*: //; s/valid_lft.*//; s/ tentative//; s/ nodad//' \
        | grep -vE 'fe80::[0-9a-f]+:' | sort -s -k1,1
      (ip route show table all; ip -6 route show table all) | grep -vE '^local .* pref ' \
        | sed 's/ linkdown//' | sort
      ip rule; ip -6 rule
      ip neigh show nud permanent; ip neigh show proxy; ip -6 neigh show proxy
      nft -s list ruleset
      cd /proc/sys/net; grep -s . ipv4/ip_forward ipv[46]/{conf,neigh}/*/* || true
    """
    return sh(f"{inside}bash -c {quote(script)} {name or 'host'}")


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
