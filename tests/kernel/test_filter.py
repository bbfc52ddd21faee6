"""What the filter keeps out and lets in, and what it tells TCP, with real packets."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.netlink import NETLINK_NETFILTER
from nftnsr.rehearsal import Rehearsal, World, rehearse
from nftnsr.spec import load, parse
from nftnsr.spec.model import Spec
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE, sh

HARDENED = load(Path(__file__).parents[2] / "rulesets/hardened.toml")


def filtered(keys: str = "", router: str = "") -> Spec:
    text = ARTICLE.replace('forward   = ["22/tcp"]', f'forward   = ["22/tcp"]\n{router}')
    return parse(f"{text}\n[router.ens3.filter]\n{keys}\n", "filtered.toml")


@contextmanager
def applied(spec: Spec) -> Iterator[World]:
    with World(spec) as world, Machine() as machine:
        apply_spec(machine, spec)
        yield world


def rehearsed(spec: Spec, change: str = "") -> Rehearsal:
    """The rehearsal of a spec whose live ruleset is changed, right after it is applied."""

    def apply(spec: Spec) -> None:
        with Machine() as machine:
            apply_spec(machine, spec)
        if change:
            listing = sh("ip netns exec ens3 nft -s list ruleset")
            changed = re.sub(change, "", listing)
            assert changed != listing
            sh(f"ip netns exec ens3 nft -f - <<'EOF'\nflush ruleset\n{changed}\nEOF")

    return rehearse(spec, apply)


def test_hardened_router_keeps_its_promises() -> None:
    rehearsal = rehearsed(HARDENED)
    assert rehearsal.failed == ()
    kinds = [r.kind for r in rehearsal.results]
    assert kinds.count("blocked") >= 6
    opened = [r for r in rehearsal.results if "2a00:1450:4001:42::1" in r.name and r.kind == "in"]
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("rule", "noticed"),
    [
        (r"\n.*ip saddr @bogons_ipv4 .*", "bogons: 145.97.20.2:22/tcp"),
        (r"\n.*ip6 saddr @bogons_ipv6 .*", "bogons: [2a00:1450:4001::3]:22/tcp"),
        # One rule alone would let nothing through: answers are dropped by the other.
        (r"\n.*ip [sd]addr @block_drop_ipv4 .*", "block list drop: 145.97.20.2:22/tcp"),
        (r"\n.*ip daddr @block_drop_ipv4 .*", "block list drop: 45.134.26.1:2049/udp"),
        (r"\n.*ip6 daddr @block_drop_ipv6 .*", "block list drop: [2a0e:b107:27f0::1]:2049/udp"),
        (r"\n.*ip saddr vmap .* goto egress.*", "2049/udp from inner host of 10.43.0.0/24"),
        (r"\n.*th dport 53 accept", ":53/udp from inner host of 10.43.0.0/24"),
        (r"\n.*ip daddr 8.8.4.0/24 .*accept", "8.8.4.1:443/tcp from inner host of 10.43.0.0/24"),
        (r"(?s)\n\tchain input \{.*?\n\t\}", "145.97.20.2:2049/udp of the router"),
        (r"\n.*@input_ipv4_sources accept", "145.97.20.2:9100/tcp of the router"),
        (r"\n.*icmp type echo-request accept", "ping 145.97.20.2 from internet"),
        (r"\n.*nd-neighbor-solicit.*", "[2a00:1450:4001::"),
        (r"\n.*ip6 daddr 2a00:1450:4001:42::/64 accept", "[2a00:1450:4001:42::1]:2049/tcp"),
    ],
)
def test_rehearsal_notices_a_rule_that_is_missing(rule: str, noticed: str) -> None:
    failed = rehearsed(HARDENED, rule).failed
    assert failed
    assert any(noticed in result.name for result in failed), failed


def test_block_list_ends_what_is_established(tmp_path: Path) -> None:
    spec = filtered()
    with applied(spec) as world, established(world) as (client, server):
        assert exchange(client, server)
        listed = tmp_path / "listed.txt"
        listed.write_text(f"{client.getsockname()[0]}\n")
        blocking = filtered(f'blocklists = {{ bad = "{listed}" }}')
        with Machine() as machine:
            apply_spec(machine, blocking)
        assert not exchange(client, server)
        listed.write_text("")
        with Machine() as machine:
            outcome = apply_spec(machine, filtered(f'blocklists = {{ bad = "{listed}" }}'))
        assert len(outcome.differences) == 1
        assert exchange(client, server)


@contextmanager
def established(world: World) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection from the internet to the host's port 22, both its ends."""
    with world.host.run(socket.create_server, ("192.168.158.2", 22)) as listener:
        listener.settimeout(5)
        client = world.internet.run(socket.create_connection, ("1.2.3.4", 22), 5)
        server, _ = listener.accept()
        with client, server:
            yield client, server


def exchange(client: socket.socket, server: socket.socket) -> bool:
    """Whether a byte gets from one end to the other, soon."""
    server.settimeout(1)
    client.sendall(b"?")
    try:
        return server.recv(16) != b""
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("router", "outward", "inward"),
    [
        ("", 1460, 1460),
        ("mtu = 1300\nmss_clamp = true", 1260, 1260),
        ("mss_clamp = 1000",) + (1000,) * 2,
    ],
)
def test_segments_fit_through_the_uplink(router: str, outward: int, inward: int) -> None:
    """What either end of a connection is told by the other's SYN, timestamps (12 bytes) off."""
    with applied(filtered(router=router)) as world:
        with established(world) as (client, server):
            told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            heard = server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert (told + 12, heard + 12) == (outward, inward)
        with world.internet.run(socket.create_server, (str(world.scene.far_end(4)), 80)) as server:
            far = (str(world.scene.far_end(4)), 80)
            with world.host.run(socket.create_connection, far, 5), server.accept()[0] as taken:
                heard = taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert heard + 12 == outward


@pytest.mark.parametrize(("keys", "arrives"), [("", True), ("reverse_path_ipv6 = true", False)])
def test_source_that_is_on_another_link(keys: str, arrives: bool) -> None:
    """A packet that comes in by the uplink, and whose answer would go to the inside."""
    inner = 'networks = ["2001:db8:42::/64"]'
    spec = parse(f"{ARTICLE}{inner}\n[router.ens3.filter]\n{keys}\n", "spoofed.toml")
    with applied(spec) as world:
        assert spoofed(world, "2001:db8:42::66", "2123:2134:abc:ddd::2") is arrives


def spoofed(world: World, source: str, target: str) -> bool:
    """Whether a datagram of the neighbour under somebody else's address gets to the host."""
    with world.host.run(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM) as server:
        server.bind((target, 4000))
        server.settimeout(1)
        with world.neighbour("ens3").run(
            socket.socket, socket.AF_INET6, socket.SOCK_DGRAM
        ) as client:
            client.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_TRANSPARENT
            client.bind((source, 4001))
            client.sendto(b"?", (target, 4000))
        try:
            return server.recv(16) == b"?"
        except TimeoutError:
            return False


def test_drops_are_logged_and_not_too_often() -> None:
    spec = filtered('log_drops = "3/minute"\nlog_group = 5\nlog_prefix = "dropped here: "')
    with applied(spec) as world:
        log = nflog(world, 5)
        with world.neighbour("ens3").run(
            socket.socket, socket.AF_INET, socket.SOCK_DGRAM
        ) as stranger:
            for _ in range(20):
                stranger.sendto(b"?", ("192.168.158.2", 4000))
        with log:
            packets = list(heard(log))
    assert packets
    assert all(b"dropped here: \0" in packet for packet in packets)
    # nft gives a rate a burst of 5 packets.
    assert len(packets) <= 6


def nflog(world: World, group: int) -> socket.socket:
    """A socket that gets what is logged to a group in the router's namespace."""
    room = Room.named("ens3")
    with room:
        log = room.run(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    bind = struct.pack("=HHBxxx", 5, 1, 1)  # NFULA_CFG_CMD: NFULNL_CFG_CMD_BIND
    mode = struct.pack("=HH", 10, 2) + struct.pack("!LBBxx", 0xFFFF, 2, 0)  # NFULNL_COPY_PACKET
    # One packet a message, at once: NFULA_CFG_QTHRESH.
    threshold = struct.pack("=HH", 8, 5) + struct.pack("!L", 1)
    for attribute in (bind, mode, threshold):
        body = struct.pack("!BBH", socket.AF_INET, 0, group) + attribute
        log.send(struct.pack("=LHHLL", 16 + len(body), (4 << 8) | 1, 5, 1, 0) + body)
        assert log.recv(4096)[16:20] == bytes(4)
    log.settimeout(0.5)
    return log


def heard(log: socket.socket) -> Iterator[bytes]:
    try:
        while True:
            yield log.recv(65536)
    except TimeoutError:
        return
