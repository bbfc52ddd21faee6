"""Flows of forwards that changed follow the new rules; all others go on as they are."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial

import pytest
from attrs import define, field

from nftnsr.kernel import conntrack
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.spec import parse
from nftnsr.state.flows import Flows
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE, Segment, sh

OTHER = ' networks = ["10.42.0.0/24"]\n'
FORWARDS = {
    "udp": '"5353/udp -> :53"',
    "udp elsewhere": '"5353/udp -> :54"',
    "tcp": '"8080/tcp -> :80"',
    "from": '{ port = 5353, protocol = "udp", to = ":53", from = ["1.2.3.0/25"] }',
    "from others": '{ port = 5353, protocol = "udp", to = ":53", from = ["9.9.9.0/24"] }',
    "range": '"5000-6000/udp"',
}


def spec(*names: str) -> str:
    return ARTICLE.replace('"22/tcp"', ", ".join(FORWARDS[n] for n in names))


@define
class World:
    """A client beyond the uplink, servers on the host, and the sockets to close in the end."""

    machine: Machine
    client: Room
    stack: ExitStack = field(factory=ExitStack)

    def apply(self, *names: str) -> None:
        apply_spec(self.machine, parse(spec(*names), "spec.toml"))

    def server(self, kind: socket.SocketKind, port: int) -> socket.socket:
        made = self.stack.enter_context(socket.socket(socket.AF_INET, kind))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", port))
        made.settimeout(2)
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def connect(self, kind: socket.SocketKind, port: int) -> socket.socket:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, kind)
            made.settimeout(2)
            made.connect(("1.2.3.4", port))
            return made

        return self.stack.enter_context(self.client.run(make))


@pytest.fixture
def world(machine: Machine, segment: Segment) -> Iterator[World]:
    made = World(machine, segment.provider)
    with made.stack:
        yield made


def arrives(client: socket.socket, server: socket.socket) -> bool:
    """Whether anything of what is sent for half a second comes to `server`."""
    server.settimeout(0.1)
    for _ in range(5):
        with suppress(ConnectionRefusedError):
            client.send(b"ping")
        with suppress(TimeoutError):
            return server.recv(4) == b"ping"
    return False


def entries() -> dict[str, str]:
    """Every entry of the router by its number: its tuples and its counters."""
    listing = sh("ip netns exec ens3 conntrack -L -o id 2>/dev/null")
    return {m[1]: line.split("src=", 1)[1] for line in listing.splitlines()
            if (m := re.search(r"id=(\d+)", line))}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [("udp", "udp elsewhere"), ("udp elsewhere", "udp"), ("range", "udp elsewhere")],
)
def test_udp_flow_of_a_repointed_forward_reaches_the_new_target(
    world: World, before: str, after: str
) -> None:
    ports = {"udp": 53, "udp elsewhere": 54, "range": 5353}
    old = world.server(socket.SOCK_DGRAM, ports[before])
    new = world.server(socket.SOCK_DGRAM, ports[after])
    world.apply("tcp", before)
    client = world.connect(socket.SOCK_DGRAM, 5353)
    assert arrives(client, old)
    world.apply("tcp", after)
    assert arrives(client, new)
    assert not arrives(client, old)


def test_udp_flow_that_came_before_its_forward_is_forwarded(world: World) -> None:
    """A client that tries again and again keeps its entry alive: it would never get through."""
    server = world.server(socket.SOCK_DGRAM, 53)
    world.apply("tcp")
    client = world.connect(socket.SOCK_DGRAM, 5353)
    client.send(b"too early")
    world.apply("tcp", "udp")
    with pytest.raises(ConnectionRefusedError):
        client.recv(10)
    assert arrives(client, server)


def test_udp_flow_of_a_removed_forward_ends(world: World) -> None:
    server = world.server(socket.SOCK_DGRAM, 53)
    world.apply("tcp", "udp")
    client = world.connect(socket.SOCK_DGRAM, 5353)
    assert arrives(client, server)
    world.apply("tcp")
    assert not arrives(client, server)


@pytest.mark.parametrize("after", [("tcp",), ("tcp", "udp elsewhere")])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_server_that_goes_on_talking_keeps_no_flow(
    world: World, kind: socket.SocketKind, after: tuple[str, ...]
) -> None:
    """Its next packet would be the first of a flow from inside that looks like the old one."""
    server = world.server(kind, 5353)
    same = {"range": '"5353/udp"', "tcp": '"5353/tcp"'}[
        "tcp" if kind == socket.SOCK_STREAM else "range"
    ]
    apply_spec(world.machine, parse(spec("tcp").replace(FORWARDS["tcp"], same), "spec.toml"))
    client = world.connect(kind, 5353)
    client.send(b"ping")
    if kind == socket.SOCK_STREAM:
        server = world.stack.enter_context(server.accept()[0])
        send = server.send
    else:
        peer = server.recvfrom(4)[1]
        send = partial(_say, server, peer)
    over = threading.Event()
    talk = threading.Thread(target=_talk, args=(send, over))
    talk.start()
    assert client.recv(4)
    world.apply(*after)
    _drain(client)
    assert not _drain(client, 0.3)
    over.set()
    talk.join()


def _say(server: socket.socket, peer: tuple[str, int], data: bytes) -> int:
    return server.sendto(data, peer)


def _talk(send: Callable[[bytes], int], over: threading.Event) -> None:
    with suppress(ConnectionError):
        # So seldom that the client has told before the next one what it has got.
        while not over.wait(0.005):
            with suppress(ConnectionRefusedError):
                send(b"pong")


def _drain(client: socket.socket, seconds: float = 0.01) -> bool:
    """Whether anything comes within this time."""
    end, heard = time.monotonic() + seconds, False
    client.settimeout(seconds)
    with suppress(TimeoutError, ConnectionError):
        while time.monotonic() < end:
            heard = bool(client.recv(4096)) or heard
    return heard


def test_flow_lasts_if_its_source_may_still_use_the_forward(world: World) -> None:
    server = world.server(socket.SOCK_DGRAM, 53)
    world.apply("udp")
    client = world.connect(socket.SOCK_DGRAM, 5353)
    assert arrives(client, server)
    before = entries()
    world.apply("from")
    assert entries().keys() == before.keys()
    assert arrives(client, server)
    world.apply("from others")
    assert not entries().keys() & before.keys()
    assert not arrives(client, server)


def test_connection_through_an_unchanged_forward_survives_changes_of_others(world: World) -> None:
    listener = world.server(socket.SOCK_STREAM, 80)
    world.server(socket.SOCK_DGRAM, 53)
    world.apply("tcp", "udp")
    client = world.connect(socket.SOCK_STREAM, 8080)
    server = world.stack.enter_context(listener.accept()[0])
    sh("sysctl -qw net.netfilter.nf_conntrack_acct=1", world.client)
    assert arrives(client, server)
    udp = world.connect(socket.SOCK_DGRAM, 5353)
    udp.send(b"a flow of the other")
    # A flow of nobody's forward: from the host, masqueraded.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outgoing:
        outgoing.sendto(b"hello", ("1.2.3.1", 999))
    first = entries()
    assert len(first) >= 3
    for names in (("tcp",), ("tcp", "udp"), ("tcp", "udp elsewhere"), ("tcp", "range")):
        world.apply(*names)
        assert arrives(client, server)
        left = first.keys() - entries().keys()
        assert [first[i] for i in left if "dport=5353" not in first[i]] == []
    assert len(first.keys() & entries().keys()) == len(first) - 1


def test_entries_of_a_lost_public_address_are_forgotten(world: World) -> None:
    listener = world.server(socket.SOCK_STREAM, 80)
    world.apply("tcp")
    world.connect(socket.SOCK_STREAM, 8080)
    listener.accept()[0].close()
    assert any("dst=1.2.3.4 sport" in e for e in entries().values())
    changed = spec("tcp").replace("1.2.3.4/24", "1.2.3.6/24")
    apply_spec(world.machine, parse(changed, "changed.toml"))
    assert not any("dst=1.2.3.4 sport" in e for e in entries().values())


def test_of_many_entries_those_that_are_meant_are_forgotten(world: World) -> None:
    world.apply("tcp")
    number = 60_000
    with Room.named("ens3") as room:
        room.run(_insert, number)
        count = len(room.run(lambda: list(conntrack.entries(4))))
        assert count >= number
        stale = Flows((conntrack.ip_address("1.2.3.4"),), "udp", (5353, 5353))
        assert room.run(conntrack.forget, [stale], []) == 0
        # Flows that have nothing in common by which the kernel could leave the others out.
        others = Flows((conntrack.ip_address("1.2.3.7"),), "tcp", (1, 2))
        assert room.run(conntrack.forget, [stale, others], []) == 0
        all_of_them = Flows((conntrack.ip_address("1.2.3.4"),), "tcp", (443, 443))
        assert room.run(conntrack.forget, [all_of_them], []) == number


def _insert(number: int) -> None:
    """Entries as a forward of port 443 makes them, told to the kernel over ctnetlink."""
    import struct

    from nftnsr.kernel import netlink
    from nftnsr.kernel.netlink import attribute, nested

    def tuple_(kind: int, source: bytes, sport: int, destination: bytes, dport: int) -> bytes:
        ip = nested(1, attribute(1, source), attribute(2, destination))
        ports = [attribute(n, struct.pack("!H", p)) for n, p in ((2, sport), (3, dport))]
        return nested(kind, ip, nested(2, attribute(1, b"\6"), *ports))

    public, inside = bytes([1, 2, 3, 4]), bytes([192, 168, 158, 2])

    def requests() -> Iterator[bytes]:
        for n in range(number):
            client, port = bytes([9, 9, 9, n // 60000 + 1]), n % 60000 + 1024
            body = struct.pack("!BBH", 2, 0, 0)
            body += tuple_(1, client, port, public, 443) + tuple_(2, inside, 443, client, port)
            body += attribute(7, struct.pack("!L", 600)) + attribute(3, struct.pack("!L", 0xE))
            body += nested(4, nested(1, attribute(1, b"\3")))
            yield netlink.message((1 << 8) | 0, 0x5 | 0x400 | 0x200, body)

    assert netlink.perform(12, requests(), frozenset(), "insert") == number
