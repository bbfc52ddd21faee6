"""What becomes of a packet: told of the spec alone, step by step as the kernel goes.

    trace(router, question)     a Trace: the ways of the packet, and of the answer to it

It interprets what the compiler emits (packet, fields, grammar, tables, chains, translate, fib,
journey), so it knows nothing of forwards or filters. A test sends random packets through routers
of random specs and holds every word about their ends against the kernel.
"""

from __future__ import annotations

from attrs import frozen

from nftnsr.compile import compile_router
from nftnsr.spec.model import Router
from nftnsr.trace.grammar import Unreadable
from nftnsr.trace.journey import Journey, Kernel, agree
from nftnsr.trace.places import bypass
from nftnsr.trace.question import Arrival, Question, Unanswerable, arrival

__all__ = ["Question", "Trace", "Unanswerable", "Unreadable", "Way", "trace"]


@frozen
class Way:
    """The way of a packet, and of the answer, if anybody behind the router gives one."""

    there: Journey
    back: Journey | None
    listens: bool
    """Whether the spec speaks of services of the router itself."""

    @property
    def direct(self) -> bool:
        """Whether the answer does not come to the router: both are on the same side of it, and
        the one who answers sees who the other is."""
        sent, last = self.there.sent, self.there.last
        return self.there.ending == "leaves" and last.oif == sent.iif and not last.connection.snat

    @property
    def whole(self) -> bool:
        """Whether it gets to somebody, and the answer back."""
        if self.there.ending == "local":
            return self.listens or self.there.sent.protocol == "icmp"
        return self.back is not None and not self.direct and self.back.ending == "leaves"


@frozen
class Trace:
    """What becomes of a packet: it has several ways where servers take turns, and none if the
    router never sees it."""

    router: Router
    arrival: Arrival
    ways: tuple[Way, ...]

    def agrees(self, found: Way) -> bool:
        """Whether what the kernel was found to do is a way of this."""
        return any(
            agree(way.there, found.there)
            and (way.back is None or found.back is None or agree(way.back, found.back))
            for way in self.ways
        )

    @property
    def arrives(self) -> bool:
        """Whether it gets to somebody in any case, and the answer back."""
        return bool(self.ways) and all(way.whole for way in self.ways)


def trace(router: Router, question: Question) -> Trace:
    """Raises Unanswerable, and Unreadable where a rule is not understood."""
    comes = arrival(router, question)
    if bypass(router, comes) is not None:
        return Trace(router, comes, ())
    kernel = Kernel.of(compile_router(router))
    listens = router.filter.input is not None
    ways = (Way(j, kernel.answer(j), listens) for j in kernel.journeys(comes.packet))
    return Trace(router, comes, tuple(ways))
