"""Inner links to namespaces of somebody else's: real packets, and what is theirs stays theirs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import define

from nftnsr import cli
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import sockets
from nftnsr.report.operations import operation_lines
from nftnsr.spec import parse
from nftnsr.state.difference import Difference, difference
from nftnsr.state.operations import Operation
from nftnsr.state.unmanaged import unmanaged
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import Refused, apply_spec, roll_back, take_down
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.transact import Outcome, Undone

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_cli import DIFFERS, SAME
from .test_seal import answer, full, seal
from .test_undo import Faulty, refuse
from .test_watch import Watch

PUBLIC, CLIENT = "1.2.3.4", "198.51.100.7"
PREFIX = "2123:2134:abc:ddd:"
CLIENT6 = f"{PREFIX}:1"
SPEC = (
    ARTICLE.replace('"22/tcp"', '"22/tcp", "25/tcp -> 10.43.0.2", "80/tcp -> 10.44.0.10:8080"')
    + f"""
[router.ens3.inner.mail]
namespace        = "mail"
interface        = "eth0"
addresses        = ["10.43.0.2/24", "{PREFIX}:25/128", "{PREFIX}:26/128"]
router_addresses = ["10.43.0.1/24"]

[router.ens3.inner.pods]
namespace        = "pods"
interface        = "ens3"
addresses        = ["10.43.1.2/24"]
router_addresses = ["10.43.1.1/24"]
networks         = ["10.44.0.0/16"]
mtu              = 1400

[router.ens3.filter]
inbound = ["{PREFIX}:25/128"]
"""
)


FEWER = SPEC.partition("[router.ens3.inner.pods]")[0].replace(', "80/tcp -> 10.44.0.10:8080"', "")


def apply(text: str = SPEC) -> Outcome:
    with Machine() as machine:
        return apply_spec(machine, parse(text, "inner.toml"))


def down() -> Outcome:
    with Machine() as machine:
        return take_down(machine, [r for n in records.names() if (r := records.read(n))])


def drift(text: str = SPEC) -> tuple[Difference, ...]:
    with Machine() as machine:
        intent, found = diff_intent(machine, parse(text, "inner.toml"))
        return difference(intent.goal.wanted, found, intent.goal.ours)


@pytest.fixture
def theirs(segment: Segment) -> Segment:
    """Two namespaces of somebody else's, in which there is something already."""
    sh("""
      for name in mail pods; do
        ip netns add $name
        ip -n $name link set lo up
        ip -n $name link add own0 type veth peer name own1
        ip -n $name address add 10.99.0.1/24 dev own0
        ip -n $name link set own0 up
        ip -n $name link set own1 up
        ip -n $name route add 10.98.0.0/16 via 10.99.0.2
        ip -n $name rule add from 10.99.0.1 lookup 77
        ip netns exec $name nft add table inet theirs
        ip netns exec $name sysctl -qw net.ipv6.conf.all.accept_dad=0
      done
      ip -n pods address add 10.44.0.10/16 dev own0
    """)
    sh(f"ip address add {CLIENT}/32 dev lo", segment.provider)
    return segment


@define
class Net:
    """The router, what is behind it, and the internet."""

    internet: Room
    host: Room
    mail: Room
    pods: Room


@pytest.fixture
def net(theirs: Segment) -> Iterator[Net]:
    apply()
    with ExitStack() as stack:
        rooms = (Room.here(), Room.named("mail"), Room.named("pods"))
        yield Net(theirs.provider, *map(stack.enter_context, rooms))


def seen(client: Room, source: str, to: tuple[str, int], server: Room, at: int = 0) -> str | None:
    """Who the server sees when a client with this address connects; None: it cannot."""
    own = ip_address(source)
    listener = sockets.server(
        server, "tcp", ip_address("::" if own.version == 6 else "0.0.0.0"), at or to[1]
    )
    connecting = sockets.client(client, own.version, "tcp", own)
    with listener, connecting:
        connecting.settimeout(1)
        listener.settimeout(1)
        try:
            connecting.connect(to)
        except OSError:
            return None
        with listener.accept()[0] as connection:
            return str(connection.getpeername()[0])


def test_forwards_lead_to_namespaces_and_hide_no_client(net: Net) -> None:
    assert seen(net.internet, CLIENT, (PUBLIC, 25), net.mail) == CLIENT
    assert seen(net.internet, CLIENT, (PUBLIC, 80), net.pods, 8080) == CLIENT
    assert seen(net.internet, CLIENT, (PUBLIC, 22), net.host) == CLIENT


def test_what_is_behind_every_link_leaves_masqueraded(net: Net) -> None:
    for room, source in (
        (net.mail, "10.43.0.2"),
        (net.pods, "10.44.0.10"),
        (net.pods, "10.43.1.2"),
    ):
        assert seen(room, source, (CLIENT, 7), net.internet) == PUBLIC


def test_forwards_work_from_behind_every_link(net: Net) -> None:
    """A server sees the router: it answers there also where another way would be shorter."""
    for room, source in (
        (net.mail, "10.43.0.2"), (net.pods, "10.44.0.10"), (net.host, "192.168.158.2"),
    ):  # fmt: skip
        assert seen(room, source, (PUBLIC, 25), net.mail) == "10.43.0.1"


def test_what_is_behind_one_link_reaches_another_as_itself(net: Net) -> None:
    assert seen(net.pods, "10.44.0.10", ("10.43.0.2", 7), net.mail) == "10.44.0.10"
    assert seen(net.mail, "10.43.0.2", ("192.168.158.2", 7), net.host) == "10.43.0.2"
    assert seen(net.host, "192.168.158.2", ("10.44.0.10", 7), net.pods) == "192.168.158.2"
    here, there = f"{PREFIX}:2", f"{PREFIX}:26"
    assert seen(net.host, here, (there, 7), net.mail) == here


def test_ipv6_of_a_further_link_is_closed_unless_it_is_named(net: Net) -> None:
    assert seen(net.internet, CLIENT6, (f"{PREFIX}:25", 7), net.mail) == CLIENT6
    assert seen(net.internet, CLIENT6, (f"{PREFIX}:26", 7), net.mail) is None
    assert seen(net.internet, CLIENT6, (f"{PREFIX}:2", 7), net.host) == CLIENT6
    for own in ("25", "26"):  # they answer, and go out with their own
        assert seen(net.mail, f"{PREFIX}:{own}", (CLIENT6, 7), net.internet) == f"{PREFIX}:{own}"


def test_nobody_leaves_with_an_address_of_another_link(net: Net) -> None:
    """Over IPv4 the reverse path filter sees to it, over IPv6 the forward filter alone."""
    sh(f"""
      ip -n mail address add {PREFIX}:2/128 dev own0 nodad
      ip -n mail address add 10.44.0.9/32 dev own0
    """)
    sniffer = net.internet.run(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with sniffer:
        sniffer.settimeout(0.3)
        for source, to in ((f"{PREFIX}:2", CLIENT6), ("10.44.0.9", CLIENT)):
            own = ip_address(source)
            with sockets.client(net.mail, own.version, "udp", own) as client:
                client.sendto(b"not mine", (to, 7))
        with sockets.client(net.mail, 6, "udp", ip_address(f"{PREFIX}:25")) as client:
            client.sendto(b"mine", (CLIENT6, 7))
        packets = []
        while b"mine" not in {p[-4:] for p in packets if b"not" not in p}:
            packets.append(sniffer.recv(2000))
    assert not [p for p in packets if b"not mine" in p]


def test_flow_to_a_link_that_goes_takes_no_other_way(net: Net) -> None:
    """Established, and not translated, it would leave by the default route as it is."""
    own = ip_address("10.43.0.2")
    with (
        sockets.server(net.pods, "udp", ip_address("10.43.1.2"), 7) as server,
        sockets.client(net.mail, 4, "udp", own) as client,
        net.internet.run(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire,
    ):
        for each in (server, client, wire):
            each.settimeout(3)
        client.sendto(b"there", ("10.43.1.2", 7))
        server.sendto(b"and back", server.recvfrom(99)[1])
        assert client.recv(99) == b"and back"
        apply(FEWER)
        client.sendto(b"of nobody's business", ("10.43.1.2", 7))
        client.sendto(b"to the internet", (CLIENT, 7))
        packets = [b""]
        while not packets[-1].endswith(b"to the internet"):
            packets.append(wire.recv(2000))
    assert not [p for p in packets if own.packed in p]


def test_second_apply_changes_nothing(theirs: Segment) -> None:
    assert apply().differences
    assert drift() == ()
    assert apply().differences == ()


def test_down_leaves_the_namespaces_as_they_were(theirs: Segment) -> None:
    before = everything()
    apply()
    assert "10.43.0.2/24" in sh("ip -n mail address")
    down()
    assert_same(everything(), before)


def test_failed_operation_leaves_their_namespace_as_found(theirs: Segment) -> None:
    """Each that concerns it, made to fail in a transaction of its own."""
    spec = parse(FEWER, "inner.toml")
    done: list[Operation] = []
    with Machine() as machine:
        done += apply_spec(machine, spec).operations
        take_down(machine, [r for n in records.names() if (r := records.read(n))])
    found = everything()
    theirs_too = [n for n, o in enumerate(done, 1) if "mail" in " ".join(operation_lines(o))]
    assert len(theirs_too) >= 10
    for number in theirs_too:
        with Faulty(number=number, before=refuse) as machine, pytest.raises(Undone):
            apply_spec(machine, spec)
        assert_same(everything(), found)
        assert journal.unfinished() is None


@pytest.mark.parametrize(
    "harm",
    [
        "ip -n mail link del eth0",
        "ip -n mail address del 10.43.0.2/24 dev eth0",
        "ip -n mail route del default",
        "ip -n mail link set eth0 mtu 1300",
        "ip -n mail link set eth0 down",
        "ip -n mail link set eth0 name eth7",
        "ip -n mail link set eth0 netns pods",
        "ip netns del mail; ip netns add mail",
        "ip netns del pods; ip netns del mail; ip netns add mail; ip netns add pods",
    ],
)
def test_drift_in_their_namespaces_is_seen_and_healed(theirs: Segment, harm: str) -> None:
    apply()
    sh(harm)
    assert drift()
    apply()
    assert drift() == ()
    with Room.named("mail") as mail:
        assert seen(theirs.provider, CLIENT, (PUBLIC, 25), mail) == CLIENT


def test_what_they_do_beside_it_is_neither_drift_nor_looked_at(theirs: Segment) -> None:
    apply()
    sh("""
      ip -n mail link add more type veth peer name less
      ip -n mail route add 10.5.0.0/16 via 10.99.0.3
      ip -n mail rule add from 10.5.0.0/16 lookup 78
      ip netns exec mail nft add table ip more
    """)
    with Machine() as machine:
        intent, found = diff_intent(machine, parse(SPEC, "inner.toml"))
    goal = intent.goal
    assert (
        difference(goal.wanted, found, goal.ours) == unmanaged(goal.wanted, found, goal.ours) == ()
    )
    assert "10.5.0.0" not in str(found["mail"])


def host() -> str:
    return everything().partition("\n== ")[0].rstrip() + "\n"


def refusal(text: str = SPEC) -> str:
    with pytest.raises(Refused) as caught:
        apply(text)
    return "\n".join(f"{o.message}: {o.hint}" for o in caught.value.obstacles)


def test_what_stands_in_the_way_there_is_told_before_anything_is_touched(theirs: Segment) -> None:
    sh("ip netns del mail")
    before = host()
    assert "there is no network namespace mail: make it (ip netns add mail)" in refusal()
    sh("ip netns add mail; ip netns del pods")
    assert "there is no network namespace pods" in refusal()
    sh("ip netns attach pods $$")
    assert "network namespace pods is the host's own" in refusal()
    sh("umount /run/netns/pods; rm /run/netns/pods")
    sh("ip netns add pods; ip -n pods link set lo alias nftnsr")
    assert "network namespace pods is that of a router" in refusal()
    sh("ip -n pods link set lo alias ''; ip -n mail link add eth0 type veth peer name eth1")
    assert "interface eth0 exists already in namespace mail" in refusal()
    assert "choose another `interface` in [router.ens3.inner.mail]" in refusal()
    sh("ip -n mail link del eth0; ip -n mail link add own0 type veth peer name own1")
    sh("ip -n mail link set own0 up; ip -n mail route add default dev own0")
    said = refusal()
    assert "namespace mail has a route 0.0.0.0/0 over own0 of the same metric" in said
    assert "set default_route = false in [router.ens3.inner.mail]" in said
    assert_same(host(), before)


def test_namespace_that_is_gone_keeps_nobody_from_taking_the_router_down(theirs: Segment) -> None:
    before = host()
    apply()
    sh("ip netns del mail; ip netns del pods")
    assert drift()
    assert "there is no network namespace mail" in refusal()
    down()
    assert_same(everything(), before)


def test_rollback_makes_no_namespace_that_is_somebody_elses(theirs: Segment) -> None:
    before = host()
    apply()
    sh("ip netns del mail; ip netns del pods")
    with Machine() as machine:
        assert roll_back(machine) is not None
    assert_same(everything(), before)


def test_pairs_of_two_routers_are_told_apart(theirs: Segment) -> None:
    """In new namespaces the ends of both have the same indices, as their other ends have."""
    sh("""
      ip netns add one; ip netns add two
      ip link add ens4 type veth peer name p4
      ip link set p4 up
    """)
    link = """
[router.{0}]
uplink    = "{0}"
addresses = ["{1}.4/24"]

[router.{0}.host]
interface        = "v{0}"
addresses        = ["{2}.2/24"]
router_addresses = ["{2}.1/24"]
default_route    = false

[router.{0}.inner.inside]
namespace        = "{3}"
interface        = "eth0"
addresses        = ["10.43.0.2/24"]
router_addresses = ["10.43.0.1/24"]
"""
    text = link.format("ens3", "1.2.3", "192.168.1", "one")
    text += link.format("ens4", "5.6.7", "192.168.2", "two")
    apply(text)
    indices = {sh(f"ip -n {n} -o link show {d}").split(":")[0]
               for n, d in (("ens3", "inside"), ("ens4", "inside"))}  # fmt: skip
    assert len(indices) == 1
    assert drift(text) == ()
    with Machine() as machine:
        _, found = diff_intent(machine, parse(text, "two.toml"))
        peers = {n: found[n].link("eth0") for n in ("one", "two")}
    assert {n: link and link.peer for n, link in peers.items()} == {
        "one": ("ens3", "inside"), "two": ("ens4", "inside"),
    }  # fmt: skip
    down()


def test_link_that_a_spec_drops_is_taken_away(theirs: Segment) -> None:
    apply()
    apply(FEWER)
    assert "ens3" not in sh("ip -n pods -br link")
    assert "pods" not in sh("ip -n ens3 -br link")
    assert drift(FEWER) == ()
    down()
    assert "eth0" not in sh("ip -n mail -br link")


# -- what is told of it ---------------------------------------------------------------------


@pytest.fixture
def spec(theirs: Segment, tmp_path: Path) -> Path:
    path = tmp_path / "inner.toml"
    path.write_text(SPEC)
    assert cli.main(["apply", "--quiet", str(path)]) == SAME
    return path


def test_status_shows_the_links_in_their_namespaces(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", str(spec)]) == SAME
    said = capsys.readouterr().out
    assert re.search(r"^  mail: eth0 +up +1500 .*10\.43\.0\.2/24$", said, re.MULTILINE)
    assert "pods: default via 10.43.1.1 dev ens3" in said
    assert "own0" not in said
    assert cli.main(["status", "--json", str(spec)]) == SAME
    (page,) = json.loads(capsys.readouterr().out)["routers"]
    found = {(link["namespace"], link["name"]) for link in page["links"] if link["carrier"]}
    ends = {(None, "vens3"), ("mail", "eth0"), ("pods", "ens3")}
    assert found == ends | {("ens3", name) for name in ("ens3", "vens3", "mail", "pods")}


@pytest.mark.parametrize(
    "harm",
    [
        "ip -n pods address del 10.43.1.2/24 dev ens3",
        "ip -n mail -6 route del default",
        "ip netns exec mail sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1",
        "ip netns del pods",
    ],
)
def test_seal_is_broken_by_what_changes_there(spec: Path, harm: str) -> None:
    seal(spec)
    sh("ip -n mail link add more type veth peer name less")  # which is nobody's business
    assert answer(spec) == SAME
    sh(harm)
    assert answer(spec) is None
    assert full(spec) == DIFFERS


def test_watch_hears_of_their_namespaces_and_heals_them(spec: Path) -> None:
    watch = Watch("--heal", spec)
    try:
        watch.until("in-sync")
        sh("ip -n mail route del default")
        watch.until("healed")
        sh("ip netns del pods")
        drift = watch.until("drift")
        assert "there is no network namespace pods" in drift["obstacles"][0]["message"]
        sh("ip netns add pods")
        watch.until("healed")
    finally:
        watch.stop()
    assert "10.43.1.2/24" in sh("ip -n pods address")
