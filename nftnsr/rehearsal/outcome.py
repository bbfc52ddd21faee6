"""What a rehearsal saw: frozen values, without any of the machinery that found them."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Kind = Literal[
    "ndp",
    "out",
    "route",
    "in",
    "hairpin",
    "across",
    "closed",
    "blocked",
    "transit",
    "size",
    "leak",
    "outage",
    "flow",
]


StageName = Literal["world", "apply", "change", "probes"]


@frozen
class Stage:
    """What a rehearsal turns to; for probes, how many of each kind there are for each router."""

    name: StageName
    planned: tuple[tuple[str, Kind, int], ...] = ()


@frozen
class Result:
    """One probe, what the spec promises of it, and what real packets did.

    Of a flow that was under way while another spec was applied, `milliseconds` is how long it
    stood still.
    """

    router: str
    kind: Kind
    name: str
    expected: str
    seen: str
    ok: bool
    milliseconds: float


@frozen
class Untried:
    """Something the spec says that no probe can show, and why."""

    router: str
    name: str
    reason: str


@frozen
class Seconds:
    """Where the time went."""

    build: float
    apply: float
    probe: float
    change: float | None = None
    """What it took to apply another spec over the first one, and to see what became of flows."""


@frozen
class Rehearsal:
    """The outcome of one rehearsal, in the order in which the spec says things."""

    results: tuple[Result, ...]
    untried: tuple[Untried, ...]
    seconds: Seconds

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if not r.ok)

    @property
    def ok(self) -> bool:
        return not self.failed
