"""What can be the case with a router, and what a watch has to tell: plain values."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen

from nftnsr.spec.problems import Problem
from nftnsr.state.difference import Difference

# -- situations: of a router, or (Unfinished) of the machine as a whole -------------------------


@frozen
class InSync:
    """The kernel is as the spec says."""


@frozen
class NotApplied:
    """It has no record: never applied here, or taken down. That is somebody's wish, no drift."""


@frozen
class Reason:
    """Why it cannot be put right: the fact and the repair, in a sentence each."""

    message: str
    hint: str


@frozen
class Drift:
    """The kernel differs from the spec; with `obstacles` it is not for nftnsr to change that."""

    differences: tuple[Difference, ...]
    obstacles: tuple[Reason, ...] = ()


@frozen
class Unfinished:
    """A transaction ended in the middle."""

    command: str
    pid: int


@frozen
class Unclear:
    """It could not be looked at."""

    message: str


Situation: TypeAlias = InSync | NotApplied | Drift | Unfinished | Unclear


# -- events ------------------------------------------------------------------------------------


@frozen
class Watching:
    """The watch has begun."""

    routers: tuple[str, ...]
    heals: bool


@frozen
class Seen:
    """The situation of a router (HOST: of the machine) is another than it was."""

    router: str
    situation: Situation


@frozen
class Waiting:
    """A change waits to be confirmed; until then nothing is judged, and nothing healed."""

    command: str
    seconds: float = field(eq=False)


@frozen
class Healing:
    router: str


@frozen
class Healed:
    router: str
    differences: tuple[Difference, ...]
    seconds: float


@frozen
class Recovered:
    """What a transaction that ended in the middle had done is undone."""

    command: str
    pid: int


@frozen
class HealFailed:
    """Everything is as it was before the try, unless `message` says otherwise."""

    router: str
    message: str


@frozen
class GaveUp:
    """So many tries within so many seconds did not last; one more comes after `quiet` seconds."""

    router: str
    tries: int
    within: float
    quiet: float


@frozen
class SpecReloaded:
    routers: tuple[str, ...]


@frozen
class SpecInvalid:
    """The spec that is there now cannot be used; the last good one stays in force."""

    message: str
    problems: tuple[Problem, ...]


@frozen
class Stopping:
    signal: str


Event: TypeAlias = (
    Watching | Seen | Waiting | Healing | Healed | Recovered | HealFailed | GaveUp
    | SpecReloaded | SpecInvalid | Stopping
)  # fmt: skip
