"""The SYN proxy under a real flood of SYNs from invented addresses."""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal.packets import checksum

from .test_nat import CLIENT, CLIENT6, PUBLIC, PUBLIC6, SECOND, Net, ask, net, refused

__all__ = ["net"]

MANY = 3000
FORWARD = {4: "10.42.0.10:8080", 6: "[fd00:42::10]:8080"}
OF = {
    4: (CLIENT, PUBLIC, "10.42.0.10", IPv4Address("198.18.0.0")),
    6: (CLIENT6, PUBLIC6, "fd00:42::10", IPv6Address("2001:db8:bad::")),
}


def syn(version: int, source: int, target: str, port: int) -> bytes:
    """A whole packet, IP header included."""
    public = ip_address(target)
    sender = type(public)(source)
    head = struct.pack(
        "!HHIIBBHHH", random.randrange(1024, 65536), port, random.getrandbits(32), 0, 5 << 4, 2,
        64240, 0, 0,
    )  # fmt: skip
    pseudo = sender.packed + public.packed + struct.pack("!IHBB", len(head), 0, 0, 6)
    tcp = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + pseudo[:32] + tcp
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + sender.packed + public.packed
    return ip + tcp


def flood(net: Net, version: int, port: int) -> None:
    _, public, _, first = OF[version]
    family = socket.AF_INET if version == 4 else socket.AF_INET6

    def send() -> None:
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            for n in range(MANY):
                sock.sendto(syn(version, int(first) + n, public, port), (public, 0))

    net.world.internet.run(send)


def tcp(room: Room, what: str = "InSegs") -> int:
    """How many TCP segments a room has received, over both families, or something else of them."""

    def count() -> int:
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index(what)])

    return room.run(count)


def tracked(net: Net) -> int:
    found = net.machine.tracked("wan")
    assert found is not None
    return found[0]


def exchange(server: socket.socket, client: socket.socket) -> tuple[bytes, bytes, str]:
    """Digests of what each end read of the other's megabytes, and whom the server saw."""
    data = random.Random(1).randbytes(4 << 20)
    server.setblocking(True)
    server.settimeout(10)
    connection, peer = server.accept()
    read: dict[str, bytes] = {}

    def talk(name: str, sock: socket.socket) -> None:
        sock.settimeout(20)
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        got = bytearray()
        while len(got) < len(data) and (part := sock.recv(1 << 16)):
            got += part
        read[name] = sha256(got).digest()
        sender.join()

    with connection:
        other = threading.Thread(target=talk, args=("server", connection))
        other.start()
        talk("client", client)
        other.join()
    assert read["client"] == sha256(data).digest()
    return read["client"], read["server"], peer[0]


@pytest.mark.parametrize("version", [4, 6])
def test_server_is_told_what_fits_through_the_uplink(net: Net, version: int) -> None:
    source, public, inner, _ = OF[version]
    server = net.serve(inner, 8080)
    forward = f'{{ port = 80, to = "{FORWARD[version]}", synproxy = true }}'
    net.apply(f"mss_clamp = 1300\nforward = [{forward}]")
    with net.client(source) as client:
        client.settimeout(5)
        client.connect((public, 80))
        assert select.select([server], [], [], 5)[0]
        with server.accept()[0] as there:
            assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1300


@pytest.mark.parametrize("version", [4, 6])
def test_flood_gets_no_further_than_the_router_and_clients_get_through(
    net: Net, version: int
) -> None:
    source, public, inner, _ = OF[version]
    room = net.room(inner)
    server = net.serve(inner, 8080)
    keys = f'forward = [{{ port = 80, to = "{FORWARD[version]}", synproxy = %s }}]'
    net.apply(keys % "true")
    # The server takes the handshake at once, and asks nobody twice.
    asked = tcp(room, "RetransSegs")
    with net.client(source) as client:
        client.settimeout(5)
        client.connect((public, 80))
        assert select.select([server], [], [], 5)[0]
        server.accept()[0].close()
    assert tcp(room, "RetransSegs") == asked
    before, heard = tracked(net), tcp(room)
    flood(net, version, 80)
    assert tcp(room) == heard
    assert tracked(net) <= before + 5
    attacker = threading.Thread(target=flood, args=(net, version, 80))
    attacker.start()
    with net.client(source) as client:
        client.settimeout(5)
        client.connect((public, 80))
        here, there, seen = exchange(server, client)
    attacker.join()
    assert here == there
    assert seen == source
    # And this is what it is good for.
    net.apply(keys % "false")
    heard = tcp(room)
    flood(net, version, 80)
    assert tcp(room) >= heard + MANY
    assert tracked(net) > MANY / 2


def test_whatever_else_a_forward_says_holds_behind_the_proxy(net: Net) -> None:
    both = '["10.42.0.10", "10.43.0.10"]'
    net.apply(f"""forward = [
      {{ port = "8000-8010", to = "10.42.0.10:9000-9010", synproxy = true }},
      {{ port = 81, to = "10.42.0.10", from = ["203.0.113.0/24"], synproxy = true }},
      {{ port = 82, to = {both}, balance = "round-robin", synproxy = true }},
      {{ port = "90-91", to = "10.42.0.10", limit = "1/day burst 2", synproxy = true }},
      {{ port = 84, to = "10.42.0.10", hide_client = true, synproxy = true }},
      {{ port = 85, to = "10.42.0.10", hairpin = false, address = "{SECOND}", synproxy = true }},
      {{ port = 86, protocol = "tcp+udp", to = "10.42.0.10", synproxy = true }},
    ]""")
    inner = "10.42.0.10"
    shifted, closed = net.serve(inner, 9003), net.serve(inner, 81)
    assert ask(net, CLIENT, (PUBLIC, 8003), [shifted]) == (inner, CLIENT)
    assert ask(net, "10.43.0.7", (PUBLIC, 8003), [shifted]), "from inside"
    assert ask(net, "203.0.113.9", (PUBLIC, 81), [closed]) == (inner, "203.0.113.9")
    assert refused(net, CLIENT, (PUBLIC, 81), [closed])
    turns = [net.serve(server, 82) for server in (inner, "10.43.0.10")]
    assert {ask(net, CLIENT, (PUBLIC, 82), turns) for _ in range(2)} == {
        (inner, CLIENT), ("10.43.0.10", CLIENT),
    }  # fmt: skip
    limited = [net.serve(inner, 90), net.serve(inner, 91)]
    assert ask(net, CLIENT, (PUBLIC, 90), limited) and ask(net, CLIENT, (PUBLIC, 91), limited)
    # It is answered by the router, but gets no further.
    with net.client(CLIENT) as client:
        client.settimeout(5)
        client.connect((PUBLIC, 90))
        assert not select.select(limited, [], [], 0.3)[0]
    assert ask(net, "198.51.100.8", (PUBLIC, 90), limited)
    assert ask(net, CLIENT, (PUBLIC, 84), [net.serve(inner, 84)]) == (inner, "192.168.158.1")
    outside = net.serve(inner, 85)
    assert ask(net, CLIENT, (SECOND, 85), [outside]) == (inner, CLIENT)
    assert refused(net, "10.43.0.7", (SECOND, 85), [outside])
    for protocol in ("tcp", "udp"):
        assert ask(net, CLIENT, (PUBLIC, 86), [net.serve(inner, 86, protocol)]) == (inner, CLIENT)


def test_connections_go_on_when_it_comes_and_when_others_change(net: Net) -> None:
    keys = 'forward = [{ port = 80, to = "10.42.0.10", synproxy = %s }, "%d/tcp"]'
    server = net.serve("10.42.0.10", 80)
    server.setblocking(True)
    ends = []
    for turn, said in enumerate(("false", "true", "true")):
        net.apply(keys % (said, 1000 + turn))
        client = net.client(CLIENT)
        client.settimeout(5)
        client.connect((PUBLIC, 80))
        ends.append((client, net.stack.enter_context(server.accept()[0])))
        for one, other in ends:
            one.send(b"ping")
            assert other.recv(10) == b"ping"
            other.send(b"pong")
            assert one.recv(10) == b"pong"
    # A forward that leads elsewhere takes its connections away, as any does.
    net.apply((keys % ("true", 1000)).replace("10.42.0.10", "10.42.0.11"))
    for one, other in ends:
        one.send(b"more")
        assert not select.select([other], [], [], 0.1)[0]
