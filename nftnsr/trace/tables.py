"""The chains and sets of a namespace, for walking through them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, cast

from attrs import frozen

from nftnsr.state.model import Chain, Namespace, Set
from nftnsr.trace.values import Elements

Hook = Literal["prerouting", "input", "forward", "output", "postrouting"]
Policy = Literal["accept", "drop"]

_HOOK = re.compile(
    r"type (?P<kind>\w+) hook (?P<hook>\w+) priority (?P<at>[^;]+); policy (?P<policy>\w+);"
)
_TRACKING = re.compile(r"\b(ct|dnat|snat|masquerade)\b")
# nft(8), "Standard priority names".
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "srcnat": 100}

NAT_PRIORITIES: Mapping[Hook, int] = {
    "prerouting": _PRIORITIES["dstnat"], "output": _PRIORITIES["dstnat"],
    "postrouting": _PRIORITIES["srcnat"],
}  # fmt: skip
"""Where at a hook the kernel translates, whatever the priority of nat chains is."""


@frozen
class Base:
    """A chain that the kernel calls at a hook."""

    chain: Chain
    kind: str
    hook: Hook
    priority: int
    policy: Policy


@frozen(slots=False)
class Tables:
    """All tables of a namespace."""

    space: Namespace

    def at(self, hook: Hook, version: int) -> tuple[Base, ...]:
        """The chains that a packet of this IP version meets at `hook`, in their order."""
        families = ("inet", "ip" if version == 4 else "ip6")
        return tuple(
            b for b in self._bases if b.hook == hook and b.chain.table[0] in families
        )  # fmt: skip

    def chain(self, table: tuple[str, str], name: str) -> Chain:
        return self._chains[table, name]

    def elements(self, table: tuple[str, str], name: str) -> Elements:
        return self._elements[table, name]

    @cached_property
    def tracked(self) -> bool:
        """Whether there is connection tracking: a rule has to ask for it; a nat chain alone does
        not, and without it is never called."""
        return any(_TRACKING.search(rule) for each in self._chains.values() for rule in each.rules)

    @cached_property
    def _chains(self) -> Mapping[tuple[tuple[str, str], str], Chain]:
        return {(i.table, i.name): i for i in self.space.ruleset if isinstance(i, Chain)}

    @cached_property
    def _elements(self) -> Mapping[tuple[tuple[str, str], str], Elements]:
        sets = (i for i in self.space.ruleset if isinstance(i, Set))
        return {(i.table, i.name): Elements(i.elements, i.name) for i in sets}

    def base(self, table: tuple[str, str], name: str) -> Base | None:
        """A base chain of this name; None if it is another one."""
        return next(
            (b for b in self._bases if (b.chain.table, b.chain.name) == (table, name)), None
        )

    @cached_property
    def _bases(self) -> tuple[Base, ...]:
        found = [_base(chain) for chain in self._chains.values() if chain.hook]
        return tuple(sorted(found, key=lambda b: b.priority))


def _base(chain: Chain) -> Base:
    found = _HOOK.fullmatch(chain.hook)
    assert found is not None, chain.hook
    hook, policy = cast(Hook, found["hook"]), cast(Policy, found["policy"])
    return Base(chain, found["kind"], hook, _priority(found["at"]), policy)


def _priority(text: str) -> int:
    """`filter`, `dstnat - 10`, `-200`."""
    name, *offset = text.split()
    number = _PRIORITIES[name] if name in _PRIORITIES else int(name)
    return number + int("".join(offset) or 0)
