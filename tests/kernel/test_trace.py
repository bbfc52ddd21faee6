"""What `nftnsr trace` says of a packet is what the kernel does with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from itertools import chain, repeat
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nftnsr.compile import compile_router
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal.asked import Asked
from nftnsr.rehearsal.frames import FIRST, Far, Links
from nftnsr.rehearsal.sockets import mac_of
from nftnsr.rehearsal.traced import trace_live
from nftnsr.spec import parse
from nftnsr.spec.model import Router, Spec
from nftnsr.trace import Question, trace
from nftnsr.trace.journey import Journey, Kernel, agree
from nftnsr.trace.packet import End, Packet, Transport, first_packet
from nftnsr.transaction.apply import apply_spec
from tests.strategies import guarded, routers

from .conftest import add_link_for, everything, new_box, sh

ROOT = Path(__file__).parents[2]


@contextmanager
def asked(router: Router) -> Iterator[Asked]:
    """The kernel of a router that is applied, and resolves no neighbours."""
    new_box()
    for number, uplink in enumerate(router.uplinks):
        add_link_for(uplink, number)
    spaces = {link.namespace for link in router.links if link.namespace is not None}
    for name in spaces:
        sh(f"ip netns add {name}; ip -n {name} link set lo up")
    apply(Spec((router,)))
    with ExitStack() as stack:
        room = stack.enter_context(Room.named(router.name))
        host = stack.enter_context(Room.here())
        rooms = {name: stack.enter_context(Room.named(name)) for name in spaces}
        far = {u.dev: (host, f"p{number}") for number, u in enumerate(router.uplinks)}
        far |= {i.peer: (rooms.get(i.namespace or "", host), i.interface) for i in router.links}
        sh("; ".join(f"ip link set {link} arp off" for link in far), room)
        ends = {link: Far(*end, mac_of(room, link)) for link, end in far.items()}
        yield Asked(router, room, stack.enter_context(Links(ends)))


INSIDE = [
    "10.42.0.10", "10.42.0.130", "10.43.7.7", "10.45.0.2", "10.47.1.1", "192.168.158.2",
    "192.168.158.77", "2001:db8:1:2::2", "2001:db8:1:2::25", "2001:db8:1:42::11",
    "2001:db8:1:47::1", "fd00:7::2", "fd00:42::10", "fd00:42::3", "fd00:42:9::1", "fd00:43::9",
]  # fmt: skip
PUBLIC = [
    "192.0.2.10", "192.0.2.11", "198.51.100.1", "203.0.113.9", "172.31.1.2",
    "2001:db8:1:2::3", "2001:db8:1:7::3", "2001:db8:2::3", "2001:db8:3::3",
]  # fmt: skip
OUTSIDE = [
    "203.0.113.7", "203.0.114.9", "192.0.2.77", "192.0.2.1", "198.51.100.254", "198.51.100.3",
    "8.8.8.8", "10.99.0.1", "2001:db8:9:1::7", "2001:db8:99::9", "2001:db8:1:2::77",
    "2001:db8:1:3::9", "2a00:1450::8",
]  # fmt: skip
ANYWHERE = [*INSIDE, *PUBLIC, *OUTSIDE, "192.168.158.1", "10.42.0.11", "10.48.0.2"]
WAYS = [(INSIDE, OUTSIDE), (INSIDE, PUBLIC), (OUTSIDE, PUBLIC), (ANYWHERE, ANYWHERE)]


@st.composite
def packets(draw: st.DrawFn) -> tuple[Packet, int]:
    """A packet, and the number of the link by which it comes: below 0 it is an inner one."""
    senders, receivers = draw(st.sampled_from(WAYS))
    source = ip_address(draw(st.sampled_from(senders)))
    there = [ip_address(d) for d in receivers]
    fitting = [d for d in there if d.version == source.version and d != source]
    destination = draw(st.sampled_from(fitting))
    protocol: Transport = draw(st.sampled_from(["tcp", "tcp", "udp", "icmp"]))
    port = None if protocol == "icmp" else draw(st.integers(19, 41))
    packet = first_packet(End(source), End(destination, port), protocol, iif="")
    links = {"in": st.integers(-4, -1), "out": st.integers(0, 2), "any": st.integers(-4, 2)}
    side = "any" if senders is ANYWHERE else "in" if senders is INSIDE else "out"
    return packet, draw(links[side])


def patient(router: Router) -> Router:
    """Without a limit that so few packets reach, and without SYN proxies.

    What one of those lets through takes a whole handshake (test_synproxy.py), not one packet.
    """
    return evolve(
        router,
        forward=tuple(
            evolve(f, limit=f.limit and evolve(f.limit, burst=1000), synproxy=False)
            for f in router.forward
        ),
    )


def from_there(router: Router, packet: Packet, link: int, number: int) -> Packet:
    """A packet with a source port of its own, as it comes by a link."""
    port = None if packet.protocol == "icmp" else FIRST + number
    source = evolve(packet.source, port=port)
    outer, inner = [u.dev for u in router.uplinks], [i.peer for i in router.links]
    links = outer if link >= 0 else inner
    return first_packet(source, packet.destination, packet.protocol, links[link % len(links)])


# Without shrinking: what fails says all that matters, and each try takes a third of a second.
@settings(
    max_examples=30, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow], deadline=None,
)  # fmt: skip
@given(st.one_of(routers(), guarded()), st.lists(packets(), min_size=60, max_size=60))
def test_packet_and_answer_end_where_the_trace_says(
    router: Router, some: list[tuple[Packet, int]]
) -> None:
    router = patient(router)
    hold(router, [from_there(router, p, link, n) for n, (p, link) in enumerate(some)])


CHOICES = """
[router.wan]
uplink     = "ens3"
addresses  = ["192.0.2.10/24", "172.31.1.2/24", "2001:db8:1:2::3/64", "fd00:9::3/64"]
gateways   = ["172.31.1.1", "2001:db8:1:2::1"]
forward    = [{ port = 80, to = ["10.42.0.10", "10.42.0.11", "10.42.0.12"] }, "81/tcp"]
snat       = ["10.43.0.0/24 -> 198.51.100.1-198.51.100.200"]

[router.wan.host]
interface        = "vwan"
addresses        = ["192.168.158.2/24", "fd00:7::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24", "10.43.0.0/24"]
"""


def test_whatever_the_kernel_chooses_is_foretold() -> None:
    """Servers by the hash of a source, addresses of a pool, those that are masqueraded with."""
    (router,) = parse(CHOICES, "choices.toml").routers
    ways = [(f"203.0.113.{n}", "192.0.2.10", 80, "ens3") for n in range(1, 20)]
    ways += [(f"10.43.0.{n}", f"9.9.{n % 3}.9", 443, "vwan") for n in range(1, 20)]
    ways += [("10.42.0.7", "9.9.9.9", 443, "vwan"), ("10.42.0.7", "192.0.2.77", 443, "vwan")]
    ways += [("fd00:7::2", own, 81, "vwan") for own in ("fd00:9::3", "2001:db8:1:2::3")]
    packets = [
        first_packet(End(ip_address(of), FIRST + n), End(ip_address(to), port), "tcp", by)
        for n, (of, to, port, by) in enumerate(ways)
    ]
    ends = hold(router, packets)
    assert {str(ends[n].destination.address) for n in range(19)} == {
        "10.42.0.10", "10.42.0.11", "10.42.0.12"
    }  # fmt: skip
    assert len({ends[n].source.address for n in range(19, 38)}) > 10
    assert [str(ends[n].source.address) for n in (38, 39)] == ["172.31.1.2", "192.0.2.10"]
    assert {str(ends[n].source.address) for n in (40, 41)} == {"fd00:9::3"}


def hold(router: Router, packets: Iterable[Packet]) -> list[Packet]:
    """Hold the trace of each packet, and of the answer to it, against the kernel; how it ends."""
    kernel, ends = Kernel.of(compile_router(router)), []
    with asked(router) as real:
        for number, packet in enumerate(packets):
            found, seen = real.journey(packet, number)
            ends.append(found.last)
            said = [j for j in kernel.journeys(packet) if agree(j, found)]
            assert said, told(router, found, *kernel.journeys(packet))
            if seen is None or (back := kernel.answer(as_found(said[0], found))) is None:
                continue
            answered, _ = real.journey(back.sent, number, seen.echo)
            assert agree(back, answered), told(router, answered, back)
    return ends


def as_found(said: Journey, found: Journey) -> Journey:
    """With the port that the kernel chose."""
    return evolve(said, last=evolve(said.last, source=found.last.source))


def told(router: Router, *journeys: Journey) -> str:
    """What the kernel did, and what was said."""
    lines = [str(router)]
    for word, journey in zip(chain(["found"], repeat("said")), journeys, strict=False):
        lines.append(f"{word}: {journey.sent} by {journey.sent.iif}")
        lines += [f"  {s.stage}: {s.words}  [{s.chain}: {s.rule}]" for s in journey.steps]
        lines.append(f"  {journey.ending} {journey.last} by {journey.last.oif}")
    return "\n".join(lines)


# -- the command --

LIVE = {
    "macvlan": "--from-host --to 9.9.9.9 --port 53/udp",
    "two-uplinks": "--from 9.9.9.9 --to 5.6.7.8 --port 443/tcp",
    "hardened": "--from 9.9.9.9 --to 145.97.20.2 --port icmp",
}


def nftnsr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nftnsr", "trace", "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("name", LIVE)
def test_kernel_does_what_was_said(name: str) -> None:
    before = everything()
    done = nftnsr("--live", f"rulesets/{name}.toml", *LIVE[name].split())
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    said, found = document["ways"][0], document["kernel"]
    assert found["agrees"]
    assert (found["ending"], found["packet"]) == (said["ending"], said["packet"])
    assert [s["rule"] for s in found["steps"]] == [s["rule"] for s in said["steps"] if s["rule"]]
    assert everything() == before


def test_kernel_that_does_otherwise_is_told_of(article: Spec) -> None:
    """What was said is of a spec that has no forward."""
    question = Question(ip_address("1.2.3.4"), "tcp", 22, ip_address("9.9.9.9"))
    (router,) = article.routers
    other = trace(evolve(router, forward=()), question)
    found = trace_live(article, evolve(other, router=router), apply)
    assert (found.there.ending, other.ways[0].there.ending) == ("leaves", "local")
    assert not other.agrees(found)


def apply(spec: Spec) -> None:
    with Machine() as machine:
        apply_spec(machine, spec)
