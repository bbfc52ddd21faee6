"""Static routes, policy rules and neighbours of a router, each with packets that take them."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.spec import parse
from nftnsr.transaction.apply import Refused, apply_spec

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_links import apply, down, drift
from .test_undo import Faulty, _passes, prepare, refuse

FAR, FAR6 = "198.51.100.7", "2001:db8:9::7"


def spec(routes: str = "", rules: str = "", neighbours: str = "") -> str:
    keys = f"routes = [{routes}]\nrules = [{rules}]\nneighbours = [{neighbours}]\n"
    return ARTICLE.replace("gateways", f"{keys}gateways").replace(
        "router_addresses", 'networks = ["10.42.0.0/24"]\nrouter_addresses'
    )


MANY = spec(
    '"10.9.0.0/16 via 1.2.3.9", "10.9.0.0/16 via 1.2.3.8 metric 5 mtu 1300 src 1.2.3.4", '
    '"default via 1.2.3.9 table 100", "blackhole 10.0.0.0/8", "prohibit 10.7.0.0/16 table 100", '
    '"10.10.0.7 dev vens3", "2001:db8:7::/48 via 2123:2134:abc:ddd::9 mtu 1300", '
    '"unreachable fd00::/8", "blackhole fd00::/8 table 100", '
    '"default via fe80::2 dev ens3 metric 9"',
    '"from 10.42.0.0/24 lookup 100", "fwmark 0x1 lookup 101 priority 100", '
    '"fwmark 0x100/0xff00 iif vens3 lookup main", "to 10.13.0.0/16 oif ens3 unreachable", '
    '"from 2123:2134:abc:ddd::2 to 2001:db8:7::/48 blackhole"',
    '"1.2.3.77 lladdr 02:00:00:00:00:77", "192.168.158.2 lladdr 02:00:00:00:00:78", '
    '"2123:2134:abc:ddd::77 lladdr 02:00:00:00:00:77", '
    '"fe80::77 lladdr 02:00:00:00:00:77 dev ens3"',
)


@pytest.fixture
def second(segment: Segment) -> Iterator[Room]:
    """Another router on the provider's segment, who also knows the way to everywhere."""
    with Room.scratch() as room:
        _join(segment.provider, room)
        yield room


def _join(provider: Room, room: Room) -> None:
    path = room.path()
    for each in (provider, room):
        # A tentative link-local address solicits nobody for 1-2 s.
        sh("sysctl -qw net.ipv6.conf.default.accept_dad=0", each)
    sh(
        f"""
      ip address flush dev p0
      ip link add name br0 type bridge mcast_snooping 0
      ip link add name s0 type veth peer name e0
      ip link set dev e0 netns {path.split("/")[4]}
      ip link set dev p0 master br0; ip link set dev s0 master br0
      ip link set br0 up; ip link set s0 up
      ip address add 1.2.3.1/24 dev br0
      ip address add 2123:2134:abc:ddd::1/64 dev br0 nodad
    """,
        provider,
    )
    sh(
        """
      ip link set lo up; ip link set e0 up
      ip address add 1.2.3.9/24 dev e0; ip address add 2123:2134:abc:ddd::9/64 dev e0 nodad
    """,
        room,
    )
    for each in (provider, room):
        sh(f"ip address add {FAR} dev lo; ip address add {FAR6} dev lo nodad", each)


def taken(segment: Segment, second: Room, source: str, far: str = FAR) -> str:
    """Which of the two routers gets a connection from `source` to an address that both have."""
    family = socket.AF_INET6 if ":" in far else socket.AF_INET
    with (
        segment.provider.run(socket.create_server, (far, 80), family=family) as first,
        second.run(socket.create_server, (far, 80), family=family) as other,
    ):
        try:
            with socket.create_connection((far, 80), 0.7, (source, 0)):
                (ready, *_), _, _ = select.select([first, other], [], [], 1)
                return "first" if ready is first else "second"
        except OSError as error:
            return type(error).__name__


def test_route_leads_over_its_next_hop(segment: Segment, second: Room) -> None:
    apply(ARTICLE)
    assert taken(segment, second, "192.168.158.2") == "first"
    text = spec(f'"{FAR} via 1.2.3.9", "{FAR6} via 2123:2134:abc:ddd::9"')
    apply(text)
    assert taken(segment, second, "192.168.158.2") == "second"
    assert taken(segment, second, "2123:2134:abc:ddd::2", FAR6) == "second"
    assert drift(text) == ()
    apply(ARTICLE)
    assert taken(segment, second, "192.168.158.2") == "first"
    assert taken(segment, second, "2123:2134:abc:ddd::2", FAR6) == "first"


@pytest.mark.parametrize(
    ("kind", "words", "words6"),
    [
        ("blackhole", "100% packet loss", "100% packet loss"),
        ("unreachable", "Destination Host Unreachable", "No route"),
        ("prohibit", "Packet filtered", "Administratively prohibited"),
    ],
)
def test_route_that_leads_nowhere(
    segment: Segment, second: Room, kind: str, words: str, words6: str
) -> None:
    apply(spec(f'"{kind} 198.51.100.0/24", "{kind} 2001:db8:9::/48"'))
    assert words in sh(f"ping -c1 -W1 {FAR}", check=False)
    assert words6 in sh(f"ping -c1 -W1 {FAR6}", check=False)
    apply(ARTICLE)
    assert "1 received" in sh(f"ping -c1 -W3 {FAR}; ping -c1 -W3 {FAR6}")


def test_rule_chooses_the_table_by_the_source(segment: Segment, second: Room) -> None:
    sh("ip address add 10.42.0.1/24 dev lo")
    text = spec('"default via 1.2.3.9 table 100"', '"from 10.42.0.0/24 lookup 100"')
    apply(text)
    assert taken(segment, second, "192.168.158.2") == "first"
    assert taken(segment, second, "10.42.0.1") == "second"
    assert drift(text) == ()
    sh("ip -n ens3 rule del from 10.42.0.0/24")
    assert len(drift(text)) == 1
    apply(text)
    assert taken(segment, second, "10.42.0.1") == "second"
    apply(spec('"default via 1.2.3.9 table 100"'))
    assert taken(segment, second, "10.42.0.1") == "first"


def test_rules_hold_in_their_order(segment: Segment, second: Room) -> None:
    sh("ip address add 10.42.0.1/24 dev lo")
    route = '"default via 1.2.3.9 table 100"'
    apply(spec(route, '"from 10.42.0.1 lookup main", "from 10.42.0.0/24 lookup 100"'))
    assert taken(segment, second, "10.42.0.1") == "first"
    apply(spec(route, '"from 10.42.0.0/24 lookup 100", "from 10.42.0.1 lookup main"'))
    assert taken(segment, second, "10.42.0.1") == "second"
    apply(spec(route, '"from 10.42.0.0/24 blackhole", "from 10.42.0.0/24 lookup 100"'))
    assert taken(segment, second, "10.42.0.1") == "TimeoutError"


def test_static_neighbour_is_never_asked_for(segment: Segment) -> None:
    # The provider answers no question for its address.
    sh("ip link set p0 arp off", segment.provider)
    mac = sh("ip -o link show p0 | grep -o 'link/ether [^ ]*' | cut -d' ' -f2", segment.provider)
    text = spec(neighbours=f'"1.2.3.1 lladdr {mac.strip()}"')
    sh("ip neigh add 1.2.3.4 lladdr 02:00:00:00:00:03 dev p0 nud permanent", segment.provider)
    apply(ARTICLE)
    assert "1 received" not in sh("ping -c1 -W1 1.2.3.1", check=False)
    apply(text)
    assert "1 received" in sh("ping -c1 -W3 1.2.3.1")
    assert drift(text) == ()


def test_everything_there_is_no_drift_and_goes_again(segment: Segment) -> None:
    before = everything()
    apply(MANY)
    assert drift(MANY) == ()
    with Machine() as machine:
        assert apply_spec(machine, parse(MANY, "many.toml")).operations == ()
    # What others made beside it is theirs, but for our own protocol number.
    sh("ip -n ens3 rule add from 10.99.0.0/16 lookup 7")
    sh("ip -n ens3 route add blackhole 10.99.0.0/16")
    assert drift(MANY) == ()
    sh("ip -n ens3 route add unreachable 10.98.0.0/16 proto 110")
    assert len(drift(MANY)) == 1
    down()
    assert_same(everything(), before)


def test_rules_of_the_host_are_nobodys_business(segment: Segment) -> None:
    sh("ip rule add from 10.99.0.0/16 lookup 7 protocol 110")
    before = everything()
    apply(MANY)
    assert "from 10.99.0.0/16" in sh("ip rule")
    down()
    assert_same(everything(), before)


@pytest.mark.parametrize("prior", [None, ARTICLE], ids=["first", "change"])
def test_failed_operation_leaves_the_routes_as_found(segment: Segment, prior: str | None) -> None:
    if prior is not None:
        prepare((lambda machine: apply_spec(machine, parse(ARTICLE, "article.toml")),))
    found = everything()
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(lambda m: apply_spec(m, parse(MANY, "spec.toml")), machine):
                break
        assert_same(everything(), found)
    assert number > 15


TABLE = """
[router.nat]
uplink    = { name = "up0", kind = "macvlan", parent = "ens3" }
addresses = ["1.2.3.11/24", "2123:2134:abc:ddd::b/64"]
gateways  = ["1.2.3.1", "2123:2134:abc:ddd::1"]
forward   = ["2222/tcp -> :22", "80/tcp -> 10.42.0.10"]

[router.nat.host]
interface        = "vnat"
addresses        = ["192.168.158.2/24", "2123:2134:abc:ddd::c/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24"]
default_route    = false
table            = 100
"""


@pytest.fixture
def container(segment: Segment) -> Iterator[Room]:
    """A container behind the host, whose default route is the host."""
    with Room.scratch() as room:
        sh(f"""
          ip link add name c0 type veth peer name e0
          ip link set dev e0 netns {room.path().split("/")[4]}
          ip address add 10.42.0.1/24 dev c0; ip link set c0 up; sysctl -qw net.ipv4.ip_forward=1
        """)
        sh(
            """
          ip link set lo up; ip link set e0 up
          ip address add 10.42.0.10/24 dev e0; ip route add default via 10.42.0.1
        """,
            room,
        )
        yield room


def seen(segment: Segment, listener: Room | None, listen: tuple[str, int], public: int) -> str:
    """Whom a server sees when the provider connects to a port of the router."""
    make = socket.create_server if listener is None else listener_of(listener)
    with make(listen) as server:
        server.settimeout(3)
        with segment.provider.run(socket.create_connection, ("1.2.3.11", public), 3):
            return str(server.accept()[1][0])


def listener_of(room: Room):  # type: ignore[no-untyped-def]
    return lambda address: room.run(socket.create_server, address)


def test_table_of_the_host_is_taken_by_what_is_behind_the_router(
    segment: Segment, container: Room
) -> None:
    before = everything()
    apply(TABLE)
    assert drift(TABLE) == ()
    # The host itself goes out as before, by its own interface.
    assert "dev ens3" in sh("ip route get 198.51.100.7")
    assert "1 received" in sh("ping -c1 -W3 1.2.3.1")
    # From its address at the router, and from the container, by the router; and answers, too.
    assert "1 received" in sh("ping -c1 -W3 -I 192.168.158.2 1.2.3.1")
    assert "1 received" in sh("ping -6 -c1 -W3 -I 2123:2134:abc:ddd::c 2123:2134:abc:ddd::1")
    assert seen(segment, None, ("192.168.158.2", 22), 2222) == "1.2.3.1"
    assert seen(segment, container, ("10.42.0.10", 80), 80) == "1.2.3.1"
    with segment.provider.run(socket.create_server, ("1.2.3.1", 99)) as server:
        server.settimeout(3)
        with container.run(socket.create_connection, ("1.2.3.1", 99), 3):
            assert server.accept()[1][0] == "1.2.3.11", "masqueraded by the router"
    # What the main table knows better it goes on to route: the host's other networks.
    sh("ip address add 10.77.0.1/24 dev lo")
    assert "1 received" in sh("ping -c1 -W3 10.77.0.1", container)
    down()
    sh("ip address del 10.77.0.1/24 dev lo")
    assert_same(everything(), before)


def test_rule_of_the_host_that_was_deleted_is_drift(segment: Segment) -> None:
    apply(TABLE)
    sh("ip rule del priority 1000 from 192.168.158.2; ip route flush table 100")
    assert len(drift(TABLE)) == 2
    apply(TABLE)
    assert seen(segment, None, ("192.168.158.2", 22), 2222) == "1.2.3.1"


def test_table_that_somebody_else_uses_is_refused(segment: Segment) -> None:
    sh("ip route add default via 1.2.3.9 dev ens3 table 100")
    with Machine() as machine, pytest.raises(Refused, match="in table 100 of the same metric"):
        apply_spec(machine, parse(TABLE, "table.toml"))


def test_failed_operation_leaves_the_tables_of_the_host_as_found(segment: Segment) -> None:
    found = everything()
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(lambda m: apply_spec(m, parse(TABLE, "spec.toml")), machine):
                break
        assert_same(everything(), found)
    assert number > 15
