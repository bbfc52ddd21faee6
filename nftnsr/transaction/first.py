"""The first apply of a spec, as it is planned without a look at any machine."""

from __future__ import annotations

from nftnsr.spec.model import Spec
from nftnsr.state.difference import difference
from nftnsr.state.model import HOST, Link, Namespace, State
from nftnsr.state.operations import Operation
from nftnsr.transaction.plan import plan


def first_apply(spec: Spec, state: State) -> tuple[Operation, ...]:
    """The plan on a host that has the uplinks and nothing else."""
    moved = tuple(Link(uplink.dev) for router in spec.routers for uplink in router.moved)
    bare = State({HOST: Namespace(moved)})
    return plan(difference(state, bare), state, bare)
