"""The way of a packet through a router, as the kernel goes.

    prerouting -> routing, reverse path filter -> forward -> postrouting -> the next link
                                               -> input -> the router itself
             of a SYN proxy, for who answers it:  output -> routing -> postrouting -> the next link

Nothing but the compiled state decides it: the very rules, routes and settings that `apply` makes.
net/ipv4/ip_input.c, net/ipv4/route.c, net/ipv4/fib_frontend.c, net/ipv6/ip6_output.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never

from attrs import define, evolve, frozen

from nftnsr.state.model import Address_, Namespace, Sysctl
from nftnsr.trace.chains import Walk
from nftnsr.trace.fib import Fib, Way
from nftnsr.trace.packet import ANY_PORT, Packet, answer_to, first_packet
from nftnsr.trace.sources import Sources
from nftnsr.trace.step import Stage, Step
from nftnsr.trace.tables import Tables

Ending = Literal["leaves", "local", "dropped", "refused"]
"""`refused`: it is dropped, and an ICMP error tells its sender."""


@frozen
class Journey:
    """A packet as it was sent, its way, and what became of it."""

    sent: Packet
    steps: tuple[Step, ...]
    ending: Ending
    last: Packet
    """As it was at the end of its way."""


def agree(said: Journey, found: Journey) -> bool:
    """Whether the kernel was found to do what was said: the same rules, and the same end of both.

    That a packet is not delivered is all that can be seen of one that is dropped or refused.
    """
    last, seen = said.last, found.last
    if (said.ending, found.ending) != ("leaves", "leaves"):
        lost = ("dropped", "refused")
        ends = said.ending == found.ending or (said.ending in lost and found.ending in lost)
        return ends and _applied(said) == _applied(found)
    if last.source.port == ANY_PORT:
        seen = evolve(seen, source=evolve(seen.source, port=ANY_PORT))
    ends = (last.oif, last.source, last.destination) == (seen.oif, seen.source, seen.destination)
    return ends and _applied(said) == _applied(found)


def _applied(journey: Journey) -> list[tuple[str | None, str | None]]:
    """The rules that applied, with their chains, in their order; but for those that depend on what
    came before."""
    steps = (s for s in journey.steps if s.rule is not None and "limit rate" not in s.rule)
    return [(s.chain, s.rule) for s in steps if s.applies]


@frozen
class Kernel:
    """All that decides of a packet in one namespace; `settings` are sysctls by their path."""

    tables: Tables
    fib: Fib
    sources: Sources
    settings: Mapping[str, str]

    @classmethod
    def of(cls, space: Namespace) -> Kernel:
        settings = {i.path: i.value for i in space.items if isinstance(i, Sysctl)}
        return cls(Tables(space), Fib.of(space), Sources.of(space), settings)

    def journeys(self, packet: Packet) -> tuple[Journey, ...]:
        """The ways that it can take; they are several where servers take turns."""
        first, turns = self._journey(packet, 0)
        return (first, *(self._journey(packet, turn)[0] for turn in range(1, turns)))

    def answer(self, journey: Journey) -> Journey | None:
        """The way of what is answered to a packet that went on to somebody else."""
        if journey.ending != "leaves":
            return None
        return self._journey(answer_to(journey.last), 0)[0]

    def setting(self, path: str) -> int:
        return int(self.settings.get(path, "0"))

    def _journey(self, packet: Packet, turn: int) -> tuple[Journey, int]:
        walk = Walk(self.tables, self.fib, self.sources, packet, turn)
        ending = _Passage(self, walk).ending()
        return Journey(packet, tuple(walk.steps), ending, walk.packet), walk.turns


@define
class _Passage:
    """One packet in the hands of the kernel."""

    kernel: Kernel
    walk: Walk

    def ending(self) -> Ending:
        packet = self.walk.packet
        off = self.kernel.setting(f"net/ipv6/conf/{packet.iif}/disable_ipv6")
        if packet.version == 6 and off:
            return self._ends("dropped", "prerouting", f"IPv6 is off on {packet.iif}")
        if self.walk.hook("prerouting") == "drop":
            return "dropped"
        return self._route()

    def _route(self) -> Ending:
        packet = self.walk.packet
        to, of = packet.destination.address, packet.source.address
        way = self.kernel.fib.way(to, of, packet.iif, packet.mark)
        match way.kind:
            case "none":
                return self._ends("refused", "routing", f"there is no route to {to}")
            case "blackhole":
                return self._ends("dropped", "routing", f"{to} leads nowhere", way)
            case "unreachable" | "prohibit":
                return self._ends("refused", "routing", f"{to} leads nowhere", way)
            case "local":
                self._step("routing", f"{to} is the router's own", way)
                return self._reverse_path("lo") or self._input()
            case "unicast":
                hop = "" if way.via is None else f", next hop {way.via}"
                self._step("routing", f"{to} is reached by {way.dev}{hop}", way)
                assert way.dev is not None
                return self._reverse_path(way.dev) or self._forward(way.dev, way.via)
            case _:
                assert_never(way.kind)

    def _reverse_path(self, out: str) -> Ending | None:
        """The filter of IPv4; to the routing rules an answer would come in by `out`."""
        packet = self.walk.packet
        source = packet.source.address
        if packet.version == 6:
            return None
        marked = self.kernel.setting(f"net/ipv4/conf/{packet.iif}/src_valid_mark")
        mark = packet.mark if marked else 0
        back = self.kernel.fib.way_back(source, packet.destination.address, out, mark)
        if back.kind == "local":
            return self._ends("dropped", "routing", f"its source {source} is the router's own")
        # Of `all` and the link's own the greater one counts (ip-sysctl.rst).
        paths = (f"net/ipv4/conf/{name}/rp_filter" for name in ("all", packet.iif))
        mode = max(map(self.kernel.setting, paths))
        there = back.kind == "unicast" and (mode == 2 or back.dev == packet.iif)
        if mode == 0 or there:
            return None
        words = f"rp_filter {mode}: the way back to {source} is not by {packet.iif}"
        return self._ends("dropped", "routing", words, back)

    def _input(self) -> Ending:
        fate = self.walk.hook("input")
        if self.walk.proxied:
            return self._output()
        return "dropped" if fate == "drop" else "local"

    def _output(self) -> Ending:
        """The router's own SYN in the client's name (nf_synproxy_core.c)."""
        walk, sent = self.walk, self.walk.packet
        walk.packet = first_packet(sent.source, sent.destination, sent.protocol, iif="")
        if walk.hook("output") == "drop":
            return "dropped"
        to, of = walk.packet.destination.address, walk.packet.source.address
        way = self.kernel.fib.way(to, of, "", walk.packet.mark)
        if way.kind != "unicast" or way.dev is None:
            return self._ends("refused", "routing", f"{to} leads nowhere", way)
        self._step("routing", f"{to} is reached by {way.dev}", way)
        walk.packet = evolve(walk.packet, oif=way.dev, next_hop=way.via)
        return "dropped" if walk.hook("postrouting") == "drop" else "leaves"

    def _forward(self, dev: str, via: Address_ | None) -> Ending:
        walk, version = self.walk, self.walk.packet.version
        switch = f"ipv4/conf/{walk.packet.iif}" if version == 4 else "ipv6/conf/all"
        if not self.kernel.setting(f"net/{switch}/forwarding"):
            return self._ends("dropped", "forward", "forwarding is off")
        walk.packet = evolve(walk.packet, oif=dev, next_hop=via)
        if walk.hook("forward") == "drop" or walk.hook("postrouting") == "drop":
            return "dropped"
        return "leaves"

    def _step(self, stage: Stage, words: str, way: Way | None = None) -> None:
        step = Step(stage, words)
        if way is not None:
            step = evolve(step, policy=way.policy, route=way.route, address=way.address)
        self.walk.steps.append(step)

    def _ends(self, ending: Ending, stage: Stage, words: str, way: Way | None = None) -> Ending:
        self._step(stage, f"{'refused' if ending == 'refused' else 'dropped'}: {words}", way)
        return ending
