"""Several uplinks: who is answered by which, who leaves by which, and what an outage changes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network

import pytest
from attrs import define, evolve, field

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import World, rehearse, sockets
from nftnsr.rehearsal.wiring import UPLINK_PORT
from nftnsr.spec import parse
from nftnsr.spec.model import Protocol, Spec
from nftnsr.state.difference import difference
from nftnsr.state.operations import MoveLink, Operation
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.transact import recover

from .conftest import assert_same, everything, sh
from .test_undo import Act, Faulty, _passes, die, down, prepare, refuse
from .test_undo_rulesets import host_of

LINE, LTE, LINE6, LTE6 = "1.2.3.4", "5.6.7.8", "2001:db8:1::3", "2001:db8:2::3"
HOST, HOST6, HOST6_LTE = "192.168.158.2", "2001:db8:1::2", "2001:db8:2::2"
CLIENT, CLIENT6 = "198.51.100.7", "2001:db8:ffff::7"
ONE = f"""
[router.wan]
uplink    = "ens3"
addresses = ["{LINE}/24", "1.2.3.5/24", "{LINE6}/64"]
gateways  = ["1.2.3.1", "fe80::1"]
forward   = ["2222/tcp+udp", "8080/tcp -> 10.42.0.10:80"]
one_to_one = [{{pairs}}]
{{keys}}
"""
FURTHER = f"""
[router.wan.uplinks.lte]
uplink    = "ens4"
addresses = ["{LTE}/24", "5.6.7.9/24", "{LTE6}/64"]
gateways  = ["5.6.7.1", "fe80::1"]
networks  = ["10.43.0.0/24"]
"""
INSIDE = f"""
[router.wan.host]
interface        = "vwan"
addresses        = ["{HOST}/24", "{HOST6}/128", "{HOST6_LTE}/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24", "10.43.0.0/24"]
"""
PAIRS = '"1.2.3.5 <-> 10.42.0.5", "5.6.7.9 <-> 10.42.0.9"'
BOTH: tuple[Protocol, ...] = ("tcp", "udp")


def text(keys: str = "", pairs: str = PAIRS, further: str = FURTHER) -> str:
    return ONE.format(keys=keys, pairs=pairs) + further + INSIDE


@define
class Net:
    """The world around the router, and the sockets that a test opens in it."""

    world: World
    machine: Machine
    stack: ExitStack = field(factory=ExitStack)

    def apply(self, keys: str = "", pairs: str = PAIRS) -> None:
        apply_spec(self.machine, parse(text(keys, pairs), "two.toml"))

    def room(self, address: str) -> Room:
        if address in (HOST, HOST6, HOST6_LTE, "0.0.0.0"):
            return self.world.host
        for network in map(ip_network, ("10.42.0.0/24", "10.43.0.0/24")):
            if ip_address(address) in network:
                return self.world.inner(network)
        return self.world.internet

    def serve(self, address: str, port: int, protocol: Protocol = "tcp") -> socket.socket:
        made = sockets.server(self.room(address), protocol, ip_address(address), port)
        made.settimeout(3)
        return self.stack.enter_context(made)

    def client(self, address: str, protocol: Protocol = "tcp") -> socket.socket:
        ip = ip_address(address)
        made = sockets.client(self.room(address), ip.version, protocol, ip)
        made.settimeout(3)
        return self.stack.enter_context(made)

    def asks(self, source: str, target: str, port: int, server: socket.socket) -> str:
        """Whom the server sees when `source` asks, and is answered."""
        kind = "tcp" if server.type == socket.SOCK_STREAM else "udp"
        client = self.client(source, kind)
        client.connect((target, port))
        if kind == "udp":
            return udp(client, server)
        peer = self.stack.enter_context(server.accept()[0])
        peer.sendall(b"answer")
        assert client.recv(9) == b"answer"
        return str(peer.getpeername()[0])

    def seen(self, source: str, protocol: Protocol = "udp", far: str = CLIENT) -> str:
        """As whom the internet sees a new connection of `source`."""
        with self.serve(far, 7, protocol) as server:
            return self.asks(source, far, 7, server)

    def carrier(self, uplink: str, *, on: bool) -> None:
        """The provider's end of an uplink's cable is taken out, or put in again."""
        sh(f"ip link set {UPLINK_PORT} {'up' if on else 'down'}", self.world.gateway(uplink))
        dev = {"wan": "ens3", "wan lte": "ens4"}[uplink]
        state = "LOWER_UP" if on else "NO-CARRIER"
        sh(f"timeout 5 sh -c 'until ip -n wan link show {dev} | grep -q {state}; do :; done'")

    def differences(self) -> tuple[object, ...]:
        intent, found = diff_intent(self.machine, parse(text(), "two.toml"))
        return difference(intent.goal.wanted, found, intent.goal.ours)


def udp(client: socket.socket, server: socket.socket) -> str:
    """Whom the server sees when a connected client asks, and is answered."""
    client.send(b"question")
    _, peer = server.recvfrom(99)
    server.sendto(b"answer", peer)
    assert client.recv(9) == b"answer"
    return str(peer[0])


@pytest.fixture
def net(box: None) -> Iterator[Net]:
    with World(parse(text(), "two.toml")) as world, Machine() as machine:
        made = Net(world, machine)
        with made.stack:
            yield made


# -- what comes in, and what goes out ------------------------------------------------------


def test_what_comes_in_by_an_uplink_is_answered_by_it(net: Net) -> None:
    """A provider drops answers from another one's addresses."""
    net.apply()
    for protocol in BOTH:
        server, server6 = (net.serve(own, 2222, protocol) for own in (HOST, HOST6))
        for public in (LINE, LTE):
            assert net.asks(CLIENT, public, 2222, server) == CLIENT
        for public in (LINE6, LTE6):
            assert net.asks(CLIENT6, public, 2222, server6) == CLIENT6
    web = net.serve("10.42.0.10", 80)
    assert [net.asks(CLIENT, ip, 8080, web) for ip in (LINE, LTE)] == [CLIENT] * 2
    for own in (HOST6, HOST6_LTE):
        assert net.asks(CLIENT6, own, 80, net.serve(own, 80)) == CLIENT6
    for ip in (LINE, LTE, LINE6, LTE6):
        assert "1 received" in sh(f"ping -c1 -W3 {ip}", net.world.internet), "the router itself"
    assert not net.world.leaked("wan") | net.world.leaked("wan lte")


def test_what_a_neighbour_of_another_uplink_asks_is_answered_where_it_was_asked(net: Net) -> None:
    """Although the router has him on a link of its own."""
    net.apply()
    assert net.asks("5.6.7.77", LINE, 2222, net.serve(HOST, 2222)) == "5.6.7.77"
    assert not net.world.leaked("wan lte")


def test_who_leaves_by_which_uplink(net: Net) -> None:
    net.apply()
    for protocol in BOTH:
        assert net.seen(HOST, protocol) == LINE
        assert net.seen("10.42.0.1", protocol) == LINE
        assert net.seen("10.43.0.1", protocol) == LTE, "by `networks`"
        assert net.seen("10.42.0.5", protocol) == "1.2.3.5", "by its public address"
        assert net.seen("10.42.0.9", protocol) == "5.6.7.9", "by its public address"
        for own in (HOST6, HOST6_LTE):
            assert net.seen(own, protocol, CLIENT6) == own, "by the prefix that it is in"
    assert not net.world.leaked("wan") | net.world.leaked("wan lte")


def test_hairpin_works_with_every_uplinks_address(net: Net) -> None:
    net.apply()
    web, ssh = net.serve("10.42.0.10", 80), net.serve(HOST, 2222)
    for public in (LINE, LTE):
        for source in (HOST, "10.42.0.1", "10.43.0.1"):
            assert net.asks(source, public, 8080, web)
            assert net.asks(source, public, 2222, ssh)


def test_static_route_over_an_uplink_is_in_its_own_table_too(net: Net) -> None:
    """So those whom it leads to are answered over it, and a chosen network takes it, too."""
    net.apply('routes = ["9.9.9.0/24 via 1.2.3.9", "blackhole 9.9.8.0/24"]')
    found = sh("ip -n wan route show table 1000")
    assert "9.9.9.0/24 via 1.2.3.9 dev ens3" in found
    assert "via 1.2.3.9 dev ens3" in sh("ip -n wan route get 9.9.9.9 from 10.43.0.1 iif vwan")
    lost = sh("ip -n wan route get 9.9.8.9 from 10.43.0.1 iif vwan 2>&1", check=False)
    assert "Invalid argument" in lost


def test_packet_chooses_its_uplink_by_the_mark(net: Net) -> None:
    net.apply()
    assert net.seen("10.42.0.77") == LINE
    sh("""
      nft() { ip netns exec wan nft "$@"; }
      nft add table ip people
      nft 'add chain ip people choose { type filter hook prerouting priority mangle - 1; }'
      nft add rule ip people choose ip saddr 10.42.0.77 meta mark set 0x44c
    """)
    assert net.seen("10.42.0.77") == LTE


def test_source_of_the_inside_that_comes_from_outside_is_dropped(net: Net) -> None:
    """rp_filter is strict, and knows of the uplinks' tables."""
    net.apply()
    server = net.serve(HOST, 2222, "udp")
    server.settimeout(0.3)
    for uplink, public in (("wan", LINE), ("wan lte", LTE)):
        gateway = net.world.gateway(uplink)
        for source in ("10.42.0.1", HOST, CLIENT):
            with sockets.client(gateway, 4, "udp", ip_address(source)) as client:
                client.sendto(b"question", (public, 2222))
        assert server.recvfrom(99)[1][0] == CLIENT, "the honest one"
        with pytest.raises(TimeoutError):
            server.recvfrom(99)


# -- outages -------------------------------------------------------------------------------


def test_next_uplink_takes_over_while_the_first_has_no_carrier(net: Net) -> None:
    net.apply()
    assert net.seen(HOST) == net.seen(HOST, "tcp") == LINE
    net.carrier("wan", on=False)
    assert net.seen(HOST) == net.seen(HOST, "tcp") == LTE
    assert net.seen("10.42.0.5") == LTE, "its own address is where nobody gets it"
    assert net.seen(HOST6_LTE, far=CLIENT6) == HOST6_LTE
    assert net.asks(CLIENT, LTE, 2222, net.serve(HOST, 2222)) == CLIENT
    assert net.differences() == (), "an outage is no drift"
    stays = net.client(HOST, "udp")
    server = net.serve(CLIENT, 8, "udp")
    stays.connect((CLIENT, 8))
    assert udp(stays, server) == LTE
    net.carrier("wan", on=True)
    assert net.seen(HOST) == net.seen(HOST, "tcp") == LINE
    assert udp(stays, server) == LTE, "what has an uplink that works keeps it"
    net.carrier("wan lte", on=False)
    assert net.seen("10.43.0.1") == LINE
    assert not net.world.leaked("wan") | net.world.leaked("wan lte")


def test_masqueraded_connections_of_an_uplink_without_carrier_begin_anew(net: Net) -> None:
    """A packet is lost to the kernel's forgetting; TCP learns of it from its far end."""
    net.apply()
    datagrams, server = net.client(HOST, "udp"), net.serve(CLIENT, 7, "udp")
    datagrams.connect((CLIENT, 7))
    assert udp(datagrams, server) == LINE
    listener, stream = net.serve(CLIENT, 7), net.client(HOST)
    stream.connect((CLIENT, 7))
    net.stack.enter_context(listener.accept()[0])
    net.carrier("wan", on=False)
    datagrams.send(b"lost")
    assert udp(datagrams, server) == LTE
    with pytest.raises(ConnectionResetError):
        for _ in range(30):
            stream.send(b"more")
            with suppress(TimeoutError):
                stream.settimeout(0.1)
                stream.recv(1)


# -- what was there before, and what is there afterwards -----------------------------------


def test_second_uplink_comes_and_goes_and_the_first_stays(net: Net) -> None:
    before = everything()
    pairs = '"1.2.3.5 <-> 10.42.0.5"'
    one = parse(text(pairs=pairs, further="").replace(f', "{HOST6_LTE}/128"', ""), "one.toml")
    apply_spec(net.machine, one)
    alone = everything()
    server, client = net.serve(HOST, 2222, "udp"), net.client(CLIENT, "udp")
    client.connect((LINE, 2222))
    assert udp(client, server) == CLIENT
    net.apply()
    assert udp(client, server) == CLIENT
    assert net.asks(CLIENT, LTE, 2222, server) == CLIENT
    apply_spec(net.machine, one)
    assert udp(client, server) == CLIENT
    assert_same(everything(), alone)
    down(net.machine)
    assert_same(everything(), before)


def test_uplinks_change_places(net: Net) -> None:
    """What is the first one's is in the same tables, rules and marks as what was."""
    net.apply()
    spec = parse(text(), "two.toml")
    (router,) = spec.routers
    first, lte = router.uplinks
    turned = (
        evolve(lte, name="", metric=0, mark=first.mark, networks=()),
        evolve(first, name="line", metric=50, mark=0x77),
    )
    apply_spec(net.machine, Spec((evolve(router, uplinks=turned),)))
    assert net.seen(HOST) == net.seen("10.42.0.1", "tcp") == LTE
    server = net.serve(HOST, 2222)
    assert [net.asks(CLIENT, ip, 2222, server) for ip in (LINE, LTE)] == [CLIENT] * 2
    assert net.seen("10.42.0.5") == "1.2.3.5"
    net.apply()
    assert net.seen(HOST) == LINE
    assert net.differences() == ()


def test_routes_of_an_uplink_that_was_set_down_come_back(net: Net) -> None:
    net.apply()
    sh("ip -n wan link set ens4 down; ip -n wan link set ens4 up")
    assert net.differences() != ()
    net.apply()
    assert net.differences() == ()
    assert net.seen("10.43.0.1") == LTE
    assert net.seen(HOST6_LTE, far=CLIENT6) == HOST6_LTE


def test_connections_over_both_uplinks_survive_apply_and_down(net: Net) -> None:
    """Also where the host is the first to speak after the move."""
    server = net.serve("0.0.0.0", 2222)
    flows = []
    # Before, the host itself answers by the uplink that it was asked on.
    sh(f"ip route add default via 5.6.7.1 dev ens4 table 9; ip rule add from {LTE} lookup 9")
    for public in (LINE, LTE):
        client = net.client(CLIENT)
        client.connect((public, 2222))
        flows.append((client, net.stack.enter_context(server.accept()[0])))

    def still_there() -> None:
        for client, peer in flows:
            peer.sendall(b"host")
            assert client.recv(9) == b"host"
            client.sendall(b"client")
            assert peer.recv(9) == b"client"

    still_there()
    net.apply()
    still_there()
    net.apply("hairpin = false")
    still_there()
    down(net.machine)
    still_there()
    assert not net.world.leaked("wan") | net.world.leaked("wan lte")


@define
class Moving(Faulty):
    """A machine on which something happens at the move of a link of one number."""

    def perform(self, operation: Operation) -> None:
        if isinstance(operation, MoveLink):
            Faulty.perform(self, operation)
        else:
            Machine.perform(self, operation)


SMALL = """
[router.wan]
uplink    = "ens3"
addresses = ["1.2.3.4/24"]
gateways  = ["1.2.3.1"]
[router.wan.uplinks.ens4]
addresses = ["5.6.7.8/24"]
gateways  = ["5.6.7.1"]
[router.wan.host]
interface        = "vwan"
addresses        = ["192.168.158.2/24"]
router_addresses = ["192.168.158.1/24"]
"""


def apply_small(machine: Machine) -> object:
    return apply_spec(machine, parse(SMALL, "two.toml"))


def test_failed_operation_leaves_both_uplinks_as_found(box: None) -> None:
    host_of(parse(SMALL, "two.toml"))
    found = everything()
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(apply_small, machine):
                break
        assert_same(everything(), found)
    assert number > 25


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(("prior", "act"), [((), apply_small), ((apply_small,), down)])
def test_process_killed_after_a_move_is_recovered(
    box: None, prior: tuple[Act, ...], act: Act, number: int
) -> None:
    host_of(parse(SMALL, "two.toml"))
    prepare(prior)
    found = everything()
    child = os.fork()
    if child == 0:
        try:
            with Moving(number=number, after=die) as machine:
                act(machine)
        finally:
            os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    with Machine() as machine:
        assert recover(machine) is not None
    assert_same(everything(), found)


# -- rehearsals ----------------------------------------------------------------------------


def outages(after: str) -> list[tuple[str, bool]]:
    """What a rehearsal says of outages where a command has its way after the apply."""

    def apply(spec: Spec) -> None:
        with Machine() as machine:
            apply_spec(machine, spec)
        sh(after)

    done = rehearse(parse(text(), "two.toml"), apply)
    assert {r.kind for r in done.results if not r.ok} <= {"outage"}
    return [(r.name, r.ok) for r in done.results if r.kind == "outage"]


def test_rehearsal_takes_the_carrier_of_each_uplink_away(box: None) -> None:
    first, second = "ens3 without a carrier: ens4 takes", "ens4 without a carrier: ens3 takes"
    assert outages("true") == [(f"{first} over", True), (f"{second} over", True)]
    stays = "ip netns exec wan sysctl -qw net.ipv4.conf.ens3.ignore_routes_with_linkdown=0"
    assert outages(stays) == [(f"{first} over", False), (f"{second} over", True)]
