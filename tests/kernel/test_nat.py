"""Every kind of translation that a spec can ask for, with real packets between real sockets."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network

import pytest
from attrs import define, field

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import World, packets, sockets
from nftnsr.spec import parse
from nftnsr.spec.model import Protocol
from nftnsr.transaction.apply import apply_spec

from .conftest import sh

PUBLIC, SECOND, PUBLIC6 = "1.2.3.4", "1.2.3.5", "2001:db8:1::3"
CLIENT, CLIENT6 = "198.51.100.7", "2001:db8:ffff::7"
SPEC = f"""
[router.wan]
uplink    = "ens3"
addresses = ["{PUBLIC}/24", "{SECOND}/24", "{PUBLIC6}/64"]
gateways  = ["1.2.3.1", "2001:db8:1::1"]
{{keys}}

[router.wan.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2001:db8:1::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24", "10.43.0.0/24", "fd00:42::/64", "2001:db8:42::/64"]
"""


PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")


@define
class Net:
    """The world around a router, and the sockets that a test opens in it."""

    world: World
    machine: Machine
    stack: ExitStack = field(factory=ExitStack)

    def apply(self, keys: str) -> None:
        apply_spec(self.machine, parse(SPEC.format(keys=keys), "nat.toml"))

    def room(self, address: str) -> Room:
        """Where everybody is who can have `address`."""
        if address in ("192.168.158.2", "2001:db8:1::2"):
            return self.world.host
        for network in map(ip_network, ("10.42.0.0/24", "10.43.0.0/24", "fd00:42::/64")):
            if ip_address(address) in network:
                return self.world.inner(network)
        if ip_address(address) in (inner6 := ip_network("2001:db8:42::/64")):
            return self.world.inner(inner6)
        return self.world.internet

    def route(self, network: str) -> None:
        """Let the provider route `network` to the router."""
        ip, via, near = ("ip -4", PUBLIC, "169.254.1.1")
        if ":" in network:
            ip, via, near = ("ip -6", PUBLIC6, "fe80::1:1")
        sh(f"{ip} route replace {network} via {via}", self.world.gateway("wan"))
        sh(f"{ip} route replace {network} via {near} dev wan0", self.world.internet)

    def let_every_source_pass(self) -> None:
        """The provider has another idea of whose addresses these are than it had at first."""
        sh("nft delete table netdev border", self.world.gateway("wan"))

    def serve(self, address: str, port: int, protocol: Protocol = "tcp") -> socket.socket:
        room = self.room(address)
        made = sockets.server(room, protocol, ip_address(address), port)
        return self.stack.enter_context(made)

    def client(self, source: str, protocol: Protocol = "tcp") -> socket.socket:
        address = ip_address(source)
        made = sockets.client(self.room(source), address.version, protocol, address)
        return self.stack.enter_context(made)


@pytest.fixture
def net() -> Iterator[Net]:
    with World(parse(SPEC.format(keys=""), "nat.toml")) as world, Machine() as machine:
        made = Net(world, machine)
        with made.stack:
            yield made


Seen = tuple[str, str]
"""The address of the server that answered, and of the client that it saw."""


def ask(
    net: Net, source: str, to: tuple[str, int], servers: list[socket.socket], patience: float = 5
) -> Seen | None:
    """Who answers when `source` talks to `to`; None: nobody does."""
    kind: Protocol = "tcp" if servers[0].type == socket.SOCK_STREAM else "udp"
    with net.client(source, kind) as client:
        client.settimeout(patience)
        try:
            client.connect(to)
        except (TimeoutError, ConnectionRefusedError):
            return None
        client.send(b"ping")
        ready, _, _ = select.select(servers, [], [], patience)
        if not ready:
            return None
        if kind == "tcp":
            connection, peer = ready[0].accept()
            with connection:
                connection.settimeout(patience)
                assert connection.recv(10) == b"ping"
                connection.send(b"pong")
        else:
            _, peer = ready[0].recvfrom(10)
            ready[0].sendto(b"pong", peer)
        assert client.recv(10) == b"pong"
    return ready[0].getsockname()[0], peer[0]


def refused(net: Net, source: str, to: tuple[str, int], servers: list[socket.socket]) -> bool:
    return ask(net, source, to, servers, 0.3) is None


# -- ports, protocols, addresses -----------------------------------------------------------


def test_list_of_ports_leads_to_the_same_ports(net: Net) -> None:
    net.apply('forward = ["80,443,8000-8010/tcp -> 10.42.0.10"]')
    for port in (80, 443, 8000, 8007, 8010):
        server = net.serve("10.42.0.10", port)
        assert ask(net, CLIENT, (PUBLIC, port), [server]) == ("10.42.0.10", CLIENT)
    assert refused(net, CLIENT, (PUBLIC, 81), [net.serve("10.42.0.10", 81)])


def test_range_is_shifted_one_to_one(net: Net) -> None:
    net.apply('forward = ["8000-8010/tcp+udp -> 10.42.0.10:9000-9010"]')
    for protocol in ("tcp", "udp"):
        servers = {port: net.serve("10.42.0.10", port, protocol) for port in range(9000, 9012)}
        for port in range(8000, 8011):
            assert ask(net, CLIENT, (PUBLIC, port), [servers[port + 1000]])
        assert refused(net, CLIENT, (PUBLIC, 8011), [servers[9011]])


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_forward_of_both_protocols(net: Net, protocol: Protocol) -> None:
    net.apply('forward = ["53/tcp+udp -> 10.42.0.10:5353"]')
    server = net.serve("10.42.0.10", 5353, protocol)
    assert ask(net, CLIENT, (PUBLIC, 53), [server]) == ("10.42.0.10", CLIENT)
    assert ask(net, "10.43.0.7", (PUBLIC, 53), [server])


def test_public_addresses_have_forwards_of_their_own(net: Net) -> None:
    net.apply(f"""forward = [
      "{PUBLIC}:443/tcp -> 10.42.0.10",
      "{SECOND}:443/tcp -> 10.43.0.10:8443",
      {{ port = "5000-5010", address = "{SECOND}", to = "10.43.0.10", hairpin = false }},
    ]""")
    first, second = net.serve("10.42.0.10", 443), net.serve("10.43.0.10", 8443)
    assert ask(net, CLIENT, (PUBLIC, 443), [first, second]) == ("10.42.0.10", CLIENT)
    assert ask(net, CLIENT, (SECOND, 443), [first, second]) == ("10.43.0.10", CLIENT)
    assert ask(net, "10.43.0.10", (SECOND, 443), [second])
    ranged = net.serve("10.43.0.10", 5005)
    assert ask(net, CLIENT, (SECOND, 5005), [ranged]) == ("10.43.0.10", CLIENT)
    assert refused(net, CLIENT, (PUBLIC, 5005), [ranged])
    assert refused(net, "10.42.0.7", (SECOND, 5005), [ranged])


def test_sources_of_one_public_address(net: Net) -> None:
    net.apply(f"""forward = [
      {{ port = 22, address = "{SECOND}", from = ["203.0.113.0/24"] }},
      {{ port = 22, address = "{PUBLIC}" }},
    ]""")
    server = net.serve("192.168.158.2", 22)
    assert ask(net, "203.0.113.9", (SECOND, 22), [server]) == ("192.168.158.2", "203.0.113.9")
    assert refused(net, CLIENT, (SECOND, 22), [server])
    assert ask(net, CLIENT, (PUBLIC, 22), [server])
    assert ask(net, "10.42.0.7", (SECOND, 22), [server])


def test_disabled_forward_is_closed_until_it_is_enabled(net: Net) -> None:
    net.apply('forward = [{ port = 80, to = "10.42.0.10", enabled = false }]')
    server = net.serve("10.42.0.10", 80)
    assert refused(net, CLIENT, (PUBLIC, 80), [server])
    net.apply('forward = [{ port = 80, to = "10.42.0.10", enabled = true }]')
    assert ask(net, CLIENT, (PUBLIC, 80), [server])


def test_ipv6_forward_to_a_unique_local_address(net: Net) -> None:
    """NAT66: the server has no address that the internet could answer to."""
    net.apply(f"""forward = [
      "[{PUBLIC6}]:80/tcp -> [fd00:42::10]:8080",
      "8000-8010/udp -> [fd00:42::10]:9000-9010",
    ]""")
    tcp, udp = net.serve("fd00:42::10", 8080), net.serve("fd00:42::10", 9010, "udp")
    assert ask(net, CLIENT6, (PUBLIC6, 80), [tcp]) == ("fd00:42::10", CLIENT6)
    assert ask(net, CLIENT6, (PUBLIC6, 8010), [udp]) == ("fd00:42::10", CLIENT6)
    assert ask(net, "fd00:42::10", (PUBLIC6, 80), [tcp])


def test_sctp_association_reaches_its_server(net: Net) -> None:
    """With packets made here: this kernel's own SCTP need not be there to forward it."""
    net.apply('forward = ["5000/sctp -> 10.42.0.10:5001", "80/tcp"]')
    room = net.room("10.42.0.10")
    raw = room.run(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    sender = net.world.internet.run(
        socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP
    )
    with raw, sender:
        raw.settimeout(2)
        sender.bind((str(net.world.scene.far_end(4)), 0))
        sender.sendto(sctp_init(40000, 5000), (PUBLIC, 0))
        packet = raw.recv(200)
        header = (packet[0] & 0xF) * 4
        assert struct.unpack("!HH", packet[header : header + 4]) == (40000, 5001)
        # The checksum is over the ports, so it has been made anew.
        assert packet[header:] == sctp_init(40000, 5001)


def sctp_init(source: int, destination: int) -> bytes:
    """An INIT chunk (RFC 9260, section 3.3.2) in a packet with its checksum."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 0x4E4654, 65535, 1, 1, 0x4E4654)
    head = struct.pack("!HHI", source, destination, 0)
    return head + struct.pack("<I", crc32c(head + b"\0\0\0\0" + chunk)) + chunk


def crc32c(data: bytes) -> int:
    """RFC 9260, appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def test_forward_without_nat_opens_a_port_of_the_servers_own_address(net: Net) -> None:
    inner, host = "2001:db8:42::10", "2001:db8:1::2"
    net.apply(f"""
    inbound_ipv6 = "forwards"
    forward = [
      {{ port = 80, to = "[{inner}]", nat = false }},
      {{ port = "8000-8010", protocol = "udp", to = ["[{inner}]", "[2001:db8:42::11]"], nat = false,
         from = ["{CLIENT6}/128"] }},
      {{ port = 22, nat = false, limit = "1/day burst 2" }},
    ]""")
    net.route("2001:db8:42::/64")
    web, ssh = net.serve(inner, 80), net.serve(host, 22)
    ranged = [net.serve(f"2001:db8:42::1{n}", 8004, "udp") for n in (0, 1)]
    for n, server in enumerate(ranged):
        to = (f"2001:db8:42::1{n}", 8004)
        assert ask(net, CLIENT6, to, [server]) == (to[0], CLIENT6)
        assert refused(net, "2001:db8:ffff::8", to, [server])
    for _ in range(2):
        assert ask(net, CLIENT6, (inner, 80), [web]) == (inner, CLIENT6)
        assert ask(net, CLIENT6, (host, 22), [ssh]) == (host, CLIENT6)
    assert refused(net, CLIENT6, (host, 22), [ssh]), "over its limit"
    assert refused(net, CLIENT6, (PUBLIC6, 80), [web])
    assert refused(net, CLIENT6, (inner, 81), [net.serve(inner, 81)])
    assert refused(net, CLIENT6, ("2001:db8:42::11", 80), [net.serve("2001:db8:42::11", 80)])


# -- several servers, limits, hidden clients -------------------------------------------------

SERVERS = ("10.42.0.10", "10.42.0.11", "10.43.0.10")


def clients(count: int) -> list[str]:
    return [f"198.51.100.{last}" for last in range(10, 10 + count)]


def test_each_client_keeps_its_server_and_all_servers_have_clients(net: Net) -> None:
    net.apply(f"forward = [{{ port = 80, to = {[f'{s}:8080' for s in SERVERS]} }}]")
    servers = [net.serve(address, 8080) for address in SERVERS]
    chosen = {c: ask(net, c, (PUBLIC, 80), servers) for c in clients(40)}
    assert all(seen is not None and seen[1] == c for c, seen in chosen.items())
    assert {seen[0] for seen in chosen.values() if seen} == set(SERVERS)
    # Also after a change of something else.
    net.apply(f"""forward = ["22/tcp", {{ port = 80, to = {[f"{s}:8080" for s in SERVERS]} }}]""")
    assert {c: ask(net, c, (PUBLIC, 80), servers) for c in clients(10)}.items() <= chosen.items()


def test_connections_go_to_the_servers_in_turn(net: Net) -> None:
    """Whatever the connections of other forwards do: they have turns of their own."""
    two = f'balance = "round-robin", to = {list(SERVERS[:2])}'
    net.apply(f"""forward = [
      {{ port = "80,8000-8010", protocol = "tcp", {two} }}, {{ port = 81, {two} }},
    ]""")
    servers = [net.serve(address, port) for port in (80, 8004) for address in SERVERS[:2]]
    other = [net.serve(address, 81) for address in SERVERS[:2]]
    turns: list[Seen | None] = []
    for port in (80, 80, 80, 80, 8004, 8004, 8004, 8004):
        turns.append(ask(net, CLIENT, (PUBLIC, port), servers))
        assert ask(net, CLIENT, (PUBLIC, 81), other)
    names = [seen[0] for seen in turns if seen]
    assert names[:4] in ([*SERVERS[:2]] * 2, [*SERVERS[1::-1]] * 2)
    assert names[4:] in ([*SERVERS[:2]] * 2, [*SERVERS[1::-1]] * 2)


def test_balanced_forward_has_sources_addresses_and_both_families(net: Net) -> None:
    servers6 = ("fd00:42::10", "fd00:42::11")
    to = [f"{s}:6000-6001" for s in SERVERS] + [f"[{s}]:6000-6001" for s in servers6]
    of = f'from = ["203.0.113.0/24", "::/0"], address = ["{SECOND}", "{PUBLIC6}"]'
    net.apply(f'forward = [{{ port = "5000-5001", protocol = "udp", {of}, to = {to} }}]')
    servers = [net.serve(address, 6001, "udp") for address in SERVERS]
    seen = {ask(net, f"203.0.113.{n}", (SECOND, 5001), servers) for n in range(1, 41)}
    assert {each[0] for each in seen if each} == set(SERVERS)
    assert refused(net, CLIENT, (SECOND, 5001), servers)
    assert refused(net, "203.0.113.9", (PUBLIC, 5001), servers)
    both = [net.serve(address, 6001, "udp") for address in servers6]
    seen = {ask(net, f"2001:db8:ffff::{n}", (PUBLIC6, 5001), both) for n in range(101, 141)}
    assert {each[0] for each in seen if each} == set(servers6)


def test_flow_stays_with_its_server_while_that_stays(net: Net) -> None:
    net.apply(f'forward = [{{ port = 5353, protocol = "udp", to = {list(SERVERS[:2])} }}]')
    servers = [net.serve(address, 5353, "udp") for address in SERVERS]
    flows = []
    for source in clients(12):
        flow = net.client(source, "udp")
        flow.connect((PUBLIC, 5353))
        flow.send(b"ping")
        (server,), _, _ = select.select(servers[:2], [], [], 5)
        server.recv(10)
        flows.append((flow, servers.index(server)))
    assert {number for _, number in flows} == {0, 1}
    new = [SERVERS[0], SERVERS[2]]
    net.apply(f'forward = [{{ port = 5353, protocol = "udp", to = {new} }}]')
    for flow, number in flows:
        flow.send(b"ping")
        (server,), _, _ = select.select(servers, [], [], 5)
        server.recv(10)
        if number == 0:
            assert server is servers[0], "the flow's server stayed"
        else:
            assert server is not servers[1], "the flow's server is gone"


def test_ruleset_moves_between_all_kinds_of_one_forward(net: Net) -> None:
    """Chains that verdict maps name come before them, and go after them."""
    two = list(SERVERS[:2])
    kinds = [
        "port = 80, to = '10.42.0.10'",
        f"port = 80, to = {two}",
        f"port = 80, to = {two}, balance = 'round-robin', limit = '2/second burst 3'",
        f"port = 80, to = {two}, hide_client = true, from = ['198.51.100.0/24']",
        f"port = '80-90', to = {two}, limit = '1/day'",
        f"port = 80, to = {list(SERVERS)}, address = '{PUBLIC}', limit = '1000/second'",
    ]
    servers = [net.serve(address, 80) for address in SERVERS]
    for before in kinds:
        for after in kinds:
            net.apply(f"forward = [{{ {before} }}]")
            net.apply(f"forward = [{{ {after} }}]")
            assert ask(net, CLIENT, (PUBLIC, 80), servers), (before, after)


@pytest.mark.parametrize(
    ("source", "same", "other", "public"),
    [
        (CLIENT, CLIENT, "198.51.100.8", PUBLIC),
        # One customer has a whole /64.
        (CLIENT6, "2001:db8:ffff::8", "2001:db8:ffff:1::7", PUBLIC6),
    ],
)
def test_connections_over_the_limit_are_dropped(
    net: Net, source: str, same: str, other: str, public: str
) -> None:
    net.apply('forward = [{ port = "80-81", limit = "1/day burst 3" }, "82/tcp"]')
    inside = "192.168.158.2" if public == PUBLIC else "2001:db8:1::2"
    servers = [net.serve(inside, port) for port in (80, 81, 82)]
    for port in (80, 81, 80):
        assert ask(net, source, (public, port), servers)
    assert refused(net, same, (public, 81), servers)
    assert ask(net, other, (public, 80), servers)
    assert ask(net, source, (public, 82), servers)
    # What a packet left there is no difference, and stays.
    net.apply('forward = [{ port = "80-81", limit = "1/day burst 3" }, "82-83/tcp"]')
    assert refused(net, source, (public, 80), servers)


def test_inside_is_not_limited(net: Net) -> None:
    net.apply('forward = [{ port = 80, to = "10.42.0.10", limit = "1/day burst 1" }]')
    server = net.serve("10.42.0.10", 80)
    for _ in range(4):
        assert ask(net, "10.43.0.7", (PUBLIC, 80), [server])


def test_server_sees_the_router_where_its_client_is_hidden(net: Net) -> None:
    several = ["[fd00:42::10]", "[fd00:42::11]"]
    net.apply(f"""forward = [
      {{ port = 80, to = "10.42.0.10", hide_client = true }},
      "81/tcp -> 10.42.0.10:80",
      {{ port = "90-91", protocol = "udp", to = {several}, hide_client = true }},
    ]""")
    server = net.serve("10.42.0.10", 80)
    assert ask(net, CLIENT, (PUBLIC, 80), [server]) == ("10.42.0.10", "192.168.158.1")
    assert ask(net, CLIENT, (PUBLIC, 81), [server]) == ("10.42.0.10", CLIENT)
    both = [net.serve(f"fd00:42::1{n}", 91, "udp") for n in (0, 1)]
    seen = ask(net, CLIENT6, (PUBLIC6, 91), both)
    assert seen is not None
    assert seen[1] == PUBLIC6


# -- whole addresses, and the addresses that others see -------------------------------------


def outward(net: Net, source: str, to: str = CLIENT, port: int = 7000) -> str | None:
    """As whom `source` is seen by somebody on the internet."""
    with sockets.server(net.world.internet, "tcp", ip_address(to), port) as server:
        seen = ask(net, source, (to, port), [server])
    return None if seen is None else seen[1]


def pings(net: Net, source: str, to: str) -> bool:
    """Whether an ICMP echo of `source` is answered."""
    version = ip_address(to).version
    with sockets.icmp(net.room(source), version, ip_address(source)) as sock:
        sock.setblocking(True)
        sock.settimeout(5)
        sock.sendto(packets.echo_request(version, 77), (to, 0))
        with suppress(TimeoutError):
            while True:
                if packets.is_echo_reply(version, sock.recv(500), 77):
                    return True
    return False


@pytest.mark.parametrize(
    ("public", "inner", "client"),
    [
        (SECOND, "10.42.0.10", CLIENT),
        # Routed to the router by the provider, on no link.
        ("192.0.2.77", "10.42.0.10", CLIENT),
        ("2001:db8:7::10", "fd00:42::10", CLIENT6),
    ],
)
def test_one_to_one_is_the_inner_host_in_both_directions(
    net: Net, public: str, inner: str, client: str
) -> None:
    net.apply(f"""
      one_to_one = ["{public} <-> {inner}"]
      forward = ["80/tcp -> 10.43.0.10"]
    """)
    if public != SECOND:
        net.let_every_source_pass()
        net.route(public)
    for port in (80, 9999):
        for protocol in PROTOCOLS:
            server = net.serve(inner, port, protocol)
            assert ask(net, client, (public, port), [server]) == (inner, client)
    assert outward(net, inner, client) == public
    assert pings(net, client, public)
    assert pings(net, inner, client)
    assert outward(net, "10.42.0.11") == PUBLIC
    # From inside: somebody else, and the host itself.
    neighbour = "10.43.0.7" if "." in inner else "fd00:42::11"
    server = net.serve(inner, 81)
    assert ask(net, neighbour, (public, 81), [server])
    assert ask(net, inner, (public, 81), [server])
    # Forwards are for the other public addresses.
    assert ask(net, CLIENT, (PUBLIC, 80), [net.serve("10.43.0.10", 80)])


def test_prefixes_stand_for_one_another_in_both_directions(net: Net) -> None:
    net.apply('prefix_translation = ["2001:db8:7:1::/64 <-> fd00:42::/64"]')
    net.route("2001:db8:7:1::/64")
    for last in ("10", "abcd:1"):
        inner, public = f"fd00:42::{last}", f"2001:db8:7:1::{last}"
        server = net.serve(inner, 443)
        assert ask(net, CLIENT6, (public, 443), [server]) == (inner, CLIENT6)
        assert outward(net, inner, CLIENT6) == public
    assert ask(net, "fd00:42::10", ("2001:db8:7:1::abcd:1", 443), [server])


def test_networks_leave_as_the_addresses_that_are_named_for_them(net: Net) -> None:
    net.apply(f"""
      snat = [
        "10.42.0.0/24 -> {SECOND}",
        {{ from = "10.43.0.0/24", to = "192.0.2.64-192.0.2.67", persistent = true }},
        "fd00:42::/64 -> {PUBLIC6}",
      ]
    """)
    net.let_every_source_pass()
    net.route("192.0.2.64/30")
    assert outward(net, "10.42.0.7") == SECOND
    assert outward(net, "192.168.158.2") == PUBLIC
    assert outward(net, "fd00:42::7", CLIENT6) == PUBLIC6
    seen = {outward(net, f"10.43.0.{n}") for n in range(2, 22)}
    assert seen <= {f"192.0.2.{n}" for n in range(64, 68)}
    assert len(seen) > 1
    everywhere = [outward(net, "10.43.0.2", f"198.51.100.{n}") for n in range(101, 109)]
    assert len(set(everywhere)) == 1


def test_destinations_without_nat_see_the_source_itself(net: Net) -> None:
    net.apply(f"""
      no_nat = ["198.51.100.128/25", "2001:db8:ffff:8::/64"]
      snat = ["10.43.0.0/24 -> {SECOND}", "fd00:42::/64 -> {PUBLIC6}"]
    """)
    net.let_every_source_pass()
    for network in ("10.42.0.0/24", "10.43.0.0/24"):
        net.route(network)
    assert outward(net, "10.42.0.7", "198.51.100.129") == "10.42.0.7"
    assert outward(net, "10.43.0.7", "198.51.100.129") == "10.43.0.7"
    assert outward(net, "10.42.0.7", "198.51.100.7") == PUBLIC
    assert outward(net, "10.43.0.7", "198.51.100.7") == SECOND
    assert outward(net, "fd00:42::7", "2001:db8:ffff:9::1") == PUBLIC6


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ("", True),
        ('source_ports = "preserve"', True),
        ('source_ports = "random"', False),
        ('source_ports = "fully-random"', False),
        (f'source_ports = "fully-random"\nsnat = ["10.42.0.0/24 -> {SECOND}"]', False),
    ],
)
def test_source_ports_are_kept_or_random(net: Net, keys: str, kept: bool) -> None:
    net.apply(keys)
    server = net.serve(CLIENT, 7000, "udp")
    server.settimeout(5)
    ports = range(40000, 40008)
    for port in ports:
        net.serve("10.42.0.7", port, "udp").sendto(b"ping", (CLIENT, 7000))
    seen = [server.recvfrom(10)[1][1] for _ in ports]
    assert (sorted(seen) == list(ports)) is kept


def test_masquerade_can_be_off_and_one_network_translated(net: Net) -> None:
    net.apply(f'masquerade = false\nsnat = ["10.42.0.0/24 -> {SECOND}"]')
    net.let_every_source_pass()
    net.route("10.43.0.0/24")
    assert outward(net, "10.42.0.7") == SECOND
    assert outward(net, "10.43.0.7") == "10.43.0.7"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'one_to_one = ["{SECOND} <-> 10.42.0.10"]', f'one_to_one = ["{SECOND} <-> 10.42.0.11"]'),
        (f'one_to_one = ["{SECOND} <-> 10.42.0.10"]', ""),
        ("", f'one_to_one = ["{SECOND} <-> 10.42.0.10"]'),
    ],
)
def test_flow_of_a_public_address_follows_its_pair(net: Net, before: str, after: str) -> None:
    servers = {ip: net.serve(ip, 53, "udp") for ip in ("10.42.0.10", "10.42.0.11")}
    client = net.client(CLIENT, "udp")
    client.connect((SECOND, 53))
    for keys in (before, after):
        net.apply(keys)
        for inner, server in servers.items():
            there = f"<-> {inner}" in keys
            # A router without the pair says itself that nobody listens.
            while select.select([client], [], [], 0.1)[0]:
                with suppress(ConnectionRefusedError):
                    client.recv(10)
            assert heard(client, server, 5 if there else 0.3) is there


def test_flow_of_a_prefix_ends_with_its_pair(net: Net) -> None:
    net.apply('prefix_translation = ["2001:db8:7:1::/64 <-> fd00:42::/64"]')
    net.route("2001:db8:7:1::/64")
    server = net.serve("fd00:42::10", 53, "udp")
    client = net.client(CLIENT6, "udp")
    client.connect(("2001:db8:7:1::10", 53))
    assert heard(client, server, 5)
    net.apply("")
    assert not heard(client, server, 0.3)


# -- what a change forgets -----------------------------------------------------------------

ADDRESSED = f'"{SECOND}:5353/udp -> 10.42.0.10:53"'


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (ADDRESSED, ADDRESSED.replace(".10:", ".11:"), True),
        (ADDRESSED, '"5353/udp -> 10.42.0.10:53"', False),
        (ADDRESSED, f'{ADDRESSED}, "{PUBLIC}:5353/udp"', False),
        ('"5350-5359/udp -> 10.42.0.10:50-59"', '"5350-5359/udp -> 10.42.0.10:51-60"', True),
        ('"5350-5359/udp -> 10.42.0.10:50-59"', '"5353/udp -> 10.42.0.10:53"', False),
        (f'{ADDRESSED}, "53/tcp"', ADDRESSED, False),
    ],
)
def test_flow_is_forgotten_when_its_translation_changes_and_only_then(
    net: Net, before: str, after: str, gone: bool
) -> None:
    net.apply(f"forward = [{before}]")
    server = net.serve("10.42.0.10", 53, "udp")
    client = net.client(CLIENT, "udp")
    client.connect((SECOND, 5353))
    assert heard(client, server, 5)
    net.apply(f"forward = [{after}]")
    assert heard(client, server, 0.3 if gone else 5) is not gone


def heard(client: socket.socket, server: socket.socket, patience: float) -> bool:
    """Whether what the client sends on its flow comes to `server`."""
    while select.select([server], [], [], 0)[0]:
        server.recv(10)
    client.send(b"ping")
    return bool(select.select([server], [], [], patience)[0])
