"""What `nftnsr trace` says of a packet is what the kernel does with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nftnsr.compile import compile_router
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables
from nftnsr.spec.model import Router, Spec
from nftnsr.trace.journey import Journey, Kernel
from nftnsr.trace.packet import ANY_PORT, End, Packet, Transport, first_packet
from nftnsr.transaction.apply import apply_spec
from tests.strategies import guarded, routers

from .conftest import add_link_for, new_box, sh
from .frames import FIRST, Far, Links, Seen

# Behind everything else at the hook, so that what it sees has been let in.
WATCH = """
table inet watch {
    set local { type inet_service; size 65535; flags dynamic; }
    chain input {
        type filter hook input priority 1000
        meta l4proto { tcp, udp } add @local { th sport }
        meta l4proto { icmp, icmpv6 } add @local { @th,32,16 }
    }
}
"""
LOCAL = re.compile(r"elements = \{(.*?)\}", re.DOTALL)


@frozen
class Live:
    """A router that is applied, and the far ends of its links."""

    room: Room
    links: Links

    def local(self) -> frozenset[int]:
        """The numbers of the packets that the router itself got."""
        text = self.room.run(lambda: Nftables().text([("inet", "watch")]))
        found = LOCAL.search(text)
        words = re.findall(r"\d+", found[1]) if found else []
        return frozenset(int(word) - FIRST for word in words)


@contextmanager
def live(router: Router) -> Iterator[Live]:
    new_box()
    add_link_for(router, 0)
    with Machine() as machine:
        apply_spec(machine, Spec((router,)))
    far = {router.uplinks[0].dev: "p0", router.host.peer: router.host.interface}
    with Room.named(router.name) as room:
        sh("; ".join(f"ip link set {link} arp off" for link in far), room)
        room.run(lambda: Nftables().run(WATCH))
        macs = {link: sh(f"ip -br link show {link}", room).split()[2] for link in far}
        with Links({link: Far(name, macs[link]) for link, name in far.items()}) as links:
            yield Live(room, links)


SOURCES = [
    "203.0.113.7", "203.0.114.9", "192.0.2.77", "192.0.2.1", "10.42.0.10", "10.43.7.7",
    "192.168.158.2", "192.168.158.77", "192.0.2.10", "10.99.0.1",
    "2001:db8:9:1::7", "2001:db8:99::9", "2001:db8:1:2::77", "2001:db8:1:2::2", "fd00:7::2",
    "fd00:42::10", "fd00:42::3", "2001:db8:1:42::11", "fd00:42:9::1", "2001:db8:1:2::3",
]  # fmt: skip
DESTINATIONS = [
    *SOURCES, "192.0.2.11", "198.51.100.9", "198.51.100.3", "192.168.158.1", "10.42.0.11",
    "2001:db8:1:7::3", "2001:db8:1:3::9", "fd00:43::9", "8.8.8.8", "2a00:1450::8",
]  # fmt: skip
PUBLIC = ["192.0.2.10", "192.0.2.11", "2001:db8:1:2::3", "2001:db8:1:7::3"]


@st.composite
def packets(draw: st.DrawFn) -> tuple[Packet, int]:
    """A packet, and the number of the link by which it comes."""
    source = ip_address(draw(st.sampled_from(SOURCES)))
    there = [[ip_address(d) for d in every] for every in (DESTINATIONS, PUBLIC)]
    fitting = [[d for d in every if d.version == source.version] for every in there]
    destination = draw(st.one_of(*map(st.sampled_from, fitting)))
    protocol: Transport = draw(st.sampled_from(["tcp", "tcp", "udp", "icmp"]))
    port = None if protocol == "icmp" else draw(st.integers(19, 41))
    packet = first_packet(End(source), End(destination, port), protocol, iif="")
    return packet, draw(st.integers(0, 1))


def from_there(router: Router, packet: Packet, link: int, number: int) -> Packet:
    """A packet with a source port of its own, as it comes by a link."""
    port = None if packet.protocol == "icmp" else FIRST + number
    source = evolve(packet.source, port=port)
    links = (*(u.dev for u in router.uplinks), *(i.peer for i in router.links))
    return first_packet(source, packet.destination, packet.protocol, links[link % len(links)])


def foretold(journey: Journey) -> Seen | str:
    """What is seen of a packet of which the model says this."""
    last = journey.last
    match journey.ending:
        case "leaves":
            return Seen(last.oif, last.source, last.destination)
        case "local":
            return "local"
        case _:
            return "nothing"


def agree(seen: Seen | str, said: Seen | str) -> bool:
    if isinstance(seen, Seen) and isinstance(said, Seen) and said.source.port == ANY_PORT:
        seen = evolve(seen, source=evolve(seen.source, port=ANY_PORT))
    return seen == said


def as_seen(journey: Journey, seen: Seen) -> Journey:
    """With the ports that the kernel chose."""
    last = evolve(journey.last, source=seen.source, destination=seen.destination)
    return evolve(journey, last=last)


# Without shrinking: what fails says all that matters, and each try takes a third of a second.
@settings(
    max_examples=30, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow], deadline=None,
)  # fmt: skip
@given(st.one_of(routers(), guarded()), st.lists(packets(), min_size=60, max_size=60))
def test_packet_and_answer_end_where_the_trace_says(
    router: Router, some: list[tuple[Packet, int]]
) -> None:
    # What a SYN proxy lets through takes a whole handshake (test_synproxy.py), not one packet.
    router = evolve(router, forward=tuple(evolve(f, synproxy=False) for f in router.forward))
    kernel = Kernel.of(compile_router(router))
    sent = {n: from_there(router, packet, link, n) for n, (packet, link) in enumerate(some)}
    with live(router) as world:
        for number, packet in sent.items():
            world.links.send(packet, number)
        seen = world.links.seen()
        local = world.local()
        answers: dict[int, Journey] = {}
        for number, packet in sent.items():
            # What the router itself gets it may answer, with what was in it.
            what = "local" if number in local else seen.get(number, "nothing")
            said = kernel.journeys(packet)
            fitting = [j for j in said if agree(what, foretold(j))]
            assert fitting, told(router, what, *said)
            if isinstance(what, Seen) and (back := kernel.answer(as_seen(fitting[0], what))):
                world.links.send(back.sent, number, what.echo)
                answers[number] = back
        seen = world.links.seen()
        for number, back in answers.items():
            what = seen.get(number, "nothing")
            # Of an answer that ends in the router itself nothing is seen.
            assert agree(what, foretold(back)) or (what, back.ending) == ("nothing", "local"), told(
                router, what, back
            )


def told(router: Router, seen: Seen | str, *journeys: Journey) -> str:
    lines = [f"{router}\nseen: {seen}"]
    for journey in journeys:
        lines += [f"sent: {journey.sent} by {journey.sent.iif}"]
        lines += [f"  {s.stage}: {s.words}  [{s.chain}: {s.rule}]" for s in journey.steps]
        lines += [f"said: {journey.ending} {journey.last} by {journey.last.oif}"]
    return "\n".join(lines)
