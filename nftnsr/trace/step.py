"""A step of a packet's way, and what decided it."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from nftnsr.state.model import PolicyRule, Route

Stage = Literal[
    "arrives", "prerouting", "routing", "input", "forward", "postrouting", "leaves",
]  # fmt: skip


@frozen
class Step:
    """What happens at a stage; by a rule of a chain, with an element of a set, or by a route."""

    stage: Stage
    words: str
    chain: str | None = None
    rule: str | None = None
    """None with a chain: its policy."""
    element: str | None = None
    route: Route | None = None
    policy: PolicyRule | None = None
