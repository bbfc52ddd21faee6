"""Which flows a change concerns: those whose translation its maps, or its addresses, decide."""

from __future__ import annotations

from collections.abc import Iterable

from nftnsr.state.difference import Add, Change, Difference, Remove
from nftnsr.state.flows import Flows, flows_of, translates
from nftnsr.state.model import Address, Address_, Link, Set, State
from nftnsr.state.operations import ForgetFlows


def forgotten(
    name: str, differences: Iterable[Difference], observed: State
) -> ForgetFlows | None:
    """The flows of a namespace that must be decided anew; None where there are none.

    They are those of every element that comes, goes or changes; but one that the new elements
    would translate as it is translated already (its forward moved to another map) may stay.
    An undo needs nothing of its own: its differences are these, turned round.
    """
    here = [d for d in differences if d.namespace == name]
    public = _public(name, observed)
    gone = frozenset(a for d in here if isinstance(d, Remove) for a in _ip(d.item) if a in public)
    come = frozenset(a for d in here if isinstance(d, Add) for a in _ip(d.item))
    flows: list[Flows] = []
    kept: list[Flows] = []
    for each in here:
        old, new = _sets(each)
        before, after = (s.elements if s else frozenset() for s in (old, new))
        new_flows = tuple(flows_of(after - before, public))
        flows += (*flows_of(before - after, public), *new_flows)
        kept += new_flows
    if lost := tuple(sorted(gone - come)):
        flows.append(Flows(lost))
    return ForgetFlows(name, tuple(flows), tuple(kept)) if flows else None
