"""Rules of random routers are all understood, and no packet goes nowhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nftnsr.compile import compile_router
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain
from nftnsr.trace.grammar import read
from tests.strategies import guarded, routers


@given(st.one_of(routers(), guarded()))
def test_every_rule_of_any_router_is_read(router: Router) -> None:
    for chain in compile_router(router).ruleset:
        if isinstance(chain, Chain):
            assert all(map(read, chain.rules))
