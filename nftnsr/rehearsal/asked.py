"""A router's kernel, asked what it does with a packet: sent as a frame, and traced on its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import define, evolve, field

from nftnsr.compile import compile_router
from nftnsr.kernel import wires
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables
from nftnsr.kernel.tracing import Event, Tracing, handles
from nftnsr.rehearsal.frames import OUR_MAC, Links, Seen
from nftnsr.spec.model import Router
from nftnsr.state.model import Neighbour
from nftnsr.state.words import TABLE
from nftnsr.trace.chains import dropped_by_policy, translation_words, verdict_words
from nftnsr.trace.grammar import Translation, read
from nftnsr.trace.journey import Ending, Journey
from nftnsr.trace.packet import Packet
from nftnsr.trace.step import Stage, Step
from nftnsr.trace.tables import Tables

_TRACE = "nftnsr_trace"
_INPUT = "input"
# Before all others, and behind them.
_RULESET = f"""
table inet {_TRACE} {{
    chain prerouting {{
        type filter hook prerouting priority -400
        ether saddr {OUR_MAC} meta nftrace set 1
    }}
    chain {_INPUT} {{
        type filter hook input priority 400
    }}
}}
"""


@define
class Asked:
    """The kernel of an applied router, whose links' far ends are `links`, and its namespace."""

    router: Router
    room: Room
    links: Links
    _tables: Tables = field(init=False)
    _tracing: Tracing = field(init=False)
    _rules: Mapping[int, tuple[str, int]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tables = Tables(compile_router(self.router))
        self.room.run(lambda: Nftables().run(_RULESET))
        self._rules = self.room.run(handles, TABLE)
        self._tracing = self.room.run(Tracing)

    def close(self) -> None:
        self._tracing.close()

    def knows(self, packet: Packet) -> None:
        """Let the router know the MAC of whom a packet goes to, who need not be there."""
        hop = packet.next_hop or packet.destination.address
        self.room.run(_add_neighbour, Neighbour(packet.oif, hop, OUR_MAC))

    def journey(
        self, packet: Packet, number: int = 0, echo: int | None = None
    ) -> tuple[Journey, Seen | None]:
        """What becomes of `packet`, and what was seen of it if it came out."""
        self.links.send(packet, number, echo)
        seen = self.links.seen().get(number)
        events = self._tracing.heard()
        ending = _ending(events, seen)
        last = packet if seen is None or ending != "leaves" else _as_seen(packet, seen)
        steps = list(self._steps(events, last))
        if ending == "dropped" and not any(e.verdict == "drop" for e in events):
            words = "dropped: no chain sees it any more, so by a route or the reverse path filter"
            steps.append(Step("routing", words))
        return Journey(packet, tuple(steps), ending, last), seen

    def _steps(self, events: tuple[Event, ...], last: Packet) -> Iterator[Step]:
        stage: Stage = "prerouting"
        for event in events:
            if event.table != TABLE[1]:
                continue
            base = self._tables.base(TABLE, event.chain)
            if base is not None:
                stage = base.hook
            # Behind its last rule that applies, a chain is told once more, without a rule.
            if event.kind == "rule" and event.handle is not None:
                yield self._step(event, event.handle, stage, last)
            elif event.kind == "policy" and event.verdict == "drop" and base is not None:
                yield dropped_by_policy(base)

    def _step(self, event: Event, handle: int, stage: Stage, last: Packet) -> Step:
        name, place = self._rules[handle]
        chain = self._tables.chain(TABLE, name)
        # The kernel has the rules of the compiled chain, in their order.
        text = chain.rules[place]
        by = next((s for s in read(text) if isinstance(s, Translation)), None)
        if by is not None and event.verdict == "accept":
            words = translation_words(last, by)
        elif event.verdict == "continue":
            words = "applies"
        else:
            words = verdict_words(event.verdict, event.target)
        return Step(stage, words, name, text)


def _ending(events: tuple[Event, ...], seen: Seen | None) -> Ending:
    # What the router itself gets it may answer, with what was in it.
    if any((e.table, e.chain) == (_TRACE, _INPUT) for e in events):
        return "local"
    return "dropped" if seen is None else "leaves"


def _as_seen(packet: Packet, seen: Seen) -> Packet:
    known = packet.connection
    if not packet.answer:
        dnat, snat = seen.destination != packet.destination, seen.source != packet.source
        known = evolve(known, dnat=dnat, snat=snat)
    return evolve(
        packet, source=seen.source, destination=seen.destination, oif=seen.link, connection=known
    )


def _add_neighbour(neighbour: Neighbour) -> None:
    with wires.rtnetlink() as rtnl:
        rtnl.add_neighbour(neighbour)
