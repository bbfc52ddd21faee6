"""From any ruleset to any other: the batch ends where a fresh load ends, in the kernel's words."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings

from nftnsr.compile import compile_router
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables, normal_form
from nftnsr.spec import load
from nftnsr.spec.model import Router
from nftnsr.state.model import Rule_, Set
from nftnsr.state.ruleset import batch, ruleset_text
from nftnsr.state.words import TABLE
from tests.strategies import routers

from .conftest import sh
from .test_rulesets import SPECS

# The box is made once for all examples; each has a scratch namespace of its own.
in_one_box = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ROUTERS = {path.stem: load(path).routers[0] for path in SPECS}

Ruleset = tuple[Rule_, ...]


def listed() -> Ruleset:
    return Nftables().read([TABLE])


def after(first: Ruleset, commands: str) -> Ruleset:
    """What is listed after `first` was loaded and `commands` were run, in a new namespace."""
    with Room.scratch() as room:
        room.run(lambda: Nftables().run(ruleset_text(first)))
        room.run(lambda: Nftables().run(commands))
        return room.run(listed)


def same(one: Ruleset, other: Ruleset) -> bool:
    """Whether they are equal but for the order of chains and sets, which means nothing."""
    return {i.key: i for i in one} == {i.key: i for i in other}


@given(routers(), routers())
@example(ROUTERS["article"], ROUTERS["home-lab"])
@example(ROUTERS["home-lab"], ROUTERS["kubernetes-node"])
@example(ROUTERS["kubernetes-node"], ROUTERS["ipv4-only"])
@in_one_box
def test_batch_ends_where_a_fresh_load_ends(one: Router, other: Router) -> None:
    first = normal_form(compile_router(one).ruleset)
    wanted = normal_form(compile_router(other).ruleset)
    found = after(first, batch(wanted, first))
    assert same(found, wanted)
    assert batch(wanted, found) == ""


@given(routers())
@in_one_box
def test_normal_form_is_its_own_normal_form(router: Router) -> None:
    form = normal_form(compile_router(router).ruleset)
    assert normal_form(form) == form


def test_elements_that_a_growing_table_hides_are_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel cannot be told to grow one just then, so that the first look is made short."""
    ruleset = compile_router(ROUTERS["article"]).ruleset
    whole, read, looks = normal_form(ruleset), Nftables.read, 0

    def short_at_first(nft: Nftables, tables: Iterable[tuple[str, str]]) -> Ruleset:
        nonlocal looks
        looks += 1
        items = read(nft, tables)
        if looks > 1:
            return items
        return tuple(
            evolve(i, elements=frozenset(list(i.elements)[1:])) if isinstance(i, Set) else i
            for i in items
        )

    monkeypatch.setattr(Nftables, "read", short_at_first)
    normal_form.cache_clear()
    assert normal_form(ruleset) == whole
    assert looks == 2


FOREIGN = {
    "a rule": "add rule inet nftnsr forward accept",
    "a chain": "add chain inet nftnsr mine\nadd rule inet nftnsr mine drop",
    "a chain that is used": ("add chain inet nftnsr mine\nadd rule inet nftnsr forward jump mine"),
    "a set that is used": (
        "add set inet nftnsr mine { type ipv4_addr; elements = { 10.0.0.1 } }\n"
        "add rule inet nftnsr forward ip saddr @mine drop"
    ),
    "an element": "add element inet nftnsr forward_ipv4 { tcp . 9999 : 10.0.0.1 . 9 }",
    "an element with a comment": (
        'add element inet nftnsr forward_ipv4 { tcp . 9999 comment "mine, a : b" : 10.0.0.1 . 9 }'
    ),
    "a counter": "add counter inet nftnsr mine",
    "a counter that is used": (
        'add counter inet nftnsr mine\nadd rule inet nftnsr forward counter name "mine"'
    ),
    "another helper": (
        "flush chain inet nftnsr helpers\ndelete ct helper inet nftnsr ftp_tcp\n"
        'add ct helper inet nftnsr ftp_tcp { type "sip" protocol tcp; }\n'
        'add rule inet nftnsr helpers tcp dport 21 ct helper set "ftp_tcp"'
    ),
    "a helper less": "flush chain inet nftnsr helpers\ndelete ct helper inet nftnsr ftp_tcp",
    "a table flag": "add table inet nftnsr { flags dormant; }",
    "another policy": (
        "add chain inet nftnsr forward { type filter hook forward priority filter; policy accept; }"
    ),
    "a chain at a hook": (
        "add chain inet nftnsr mine { type filter hook input priority 0; policy drop; }"
    ),
    "nothing left": "flush table inet nftnsr",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_somebody_did_to_our_table_is_undone_by_one_batch(name: str) -> None:
    router = ROUTERS["lab"]
    wanted = normal_form(compile_router(router).ruleset)
    with Room.scratch() as room:
        room.run(lambda: Nftables().run(ruleset_text(wanted)))
        room.run(lambda: Nftables().run(FOREIGN[name]))
        found = room.run(listed)
        assert not same(found, wanted)
        room.run(lambda: Nftables().run(batch(wanted, found)))
        assert same(room.run(listed), wanted)


def test_unchanged_map_keeps_the_counters_of_its_elements() -> None:
    router = ROUTERS["article"]
    wanted = normal_form(compile_router(router).ruleset)
    counted = ruleset_text(wanted).replace(
        "tcp . 22 : 192", "tcp . 22 counter packets 7 bytes 420 : 192"
    )
    assert "packets 7" in counted
    with Room.scratch() as room:
        room.run(lambda: Nftables().run(counted))
        found = room.run(listed)
        assert same(found, wanted)
        more = normal_form(compile_router(ROUTERS["kubernetes-node"]).ruleset)
        room.run(lambda: Nftables().run(batch(more, found)))
        assert "packets 7 bytes 420" in sh("nft list ruleset", room)


def test_batch_that_fails_changes_nothing() -> None:
    first = normal_form(compile_router(ROUTERS["article"]).ruleset)
    other = normal_form(compile_router(ROUTERS["home-lab"]).ruleset)
    with Room.scratch() as room:
        room.run(lambda: Nftables().run(ruleset_text(first)))
        before = sh("nft list ruleset", room)
        commands = batch(other, first) + "add rule inet nftnsr nowhere accept\n"
        with pytest.raises(KernelError, match="refused the ruleset"):
            room.run(lambda: Nftables().run(commands))
        assert sh("nft list ruleset", room) == before
