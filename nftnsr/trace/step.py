"""A step of a packet's way, and what decided it."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from nftnsr.state.model import Address, PolicyRule, Route

Stage = Literal[
    "arrives", "prerouting", "routing", "input", "forward", "output", "postrouting", "leaves",
]  # fmt: skip


@frozen
class Step:
    """What happens at a stage; by a rule of a chain, with an element of a set, or by a route."""

    stage: Stage
    words: str
    chain: str | None = None
    rule: str | None = None
    """Or the declaration of the chain, if its policy decided."""
    applies: bool = True
    """Whether the rule does to its end."""
    set: str | None = None
    element: str | None = None
    """Of this set or map."""
    policy: PolicyRule | None = None
    route: Route | None = None
    address: Address | None = None
    """With which the kernel made the route."""
