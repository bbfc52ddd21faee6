"""Every operation of the plans of shipped rulesets fails, or kills the process, once.

Of those whose plans have the same kinds of operations the longest stands for all: what else is
different between them is in the text of one operation, which loads the ruleset. A process, which
takes longer to kill, is killed in the few that have all kinds between them.

Afterwards, or after the next command's recovery, all is as it was found, or as it was wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen

from nftnsr.compile import compile_spec
from nftnsr.kernel.machine import Machine
from nftnsr.spec import load
from nftnsr.spec.model import Forward, Ports, Spec
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.first import first_apply
from nftnsr.transaction.transact import recover

from .conftest import add_link_for, add_namespaces_for, assert_same, everything, sh
from .test_undo import Act, Faulty, _killed, _passes, down, prepare, refuse

Kinds = frozenset[type]


def longest_plans() -> dict[Path, Kinds]:
    """One spec for each set of kinds of operations, those with the most kinds first."""
    plans: dict[Kinds, list[tuple[int, Path]]] = {}
    for path in sorted((Path(__file__).parents[2] / "rulesets").glob("*.toml")):
        spec = load(path)
        operations = first_apply(spec, compile_spec(spec))
        plans.setdefault(frozenset(map(type, operations)), []).append((len(operations), path))
    return {max(plans[kinds])[1]: kinds for kinds in sorted(plans, key=len, reverse=True)}


def with_all_kinds(plans: dict[Path, Kinds]) -> Iterator[Path]:
    """Those that have a kind of operation that none of the former has."""
    seen: Kinds = frozenset()
    for path, kinds in plans.items():
        if not kinds <= seen:
            yield path
        seen |= kinds


RULESETS = longest_plans()


@frozen
class Case:
    """What is done before, and the transaction that fails."""

    prior: tuple[Act, ...]
    act: Act


def host_of(spec: Spec) -> None:
    """A host whose uplinks have the addresses that the routers of `spec` will have."""
    sh("sysctl -qw net.ipv6.conf.default.accept_dad=0")
    add_namespaces_for(spec)
    for number, uplink in enumerate(u for router in spec.routers for u in router.uplinks):
        dev = add_link_for(uplink, number)
        for address in uplink.addresses if uplink.made is None else ():
            sh(f"ip address add {address} dev {dev}")
        for gateway in uplink.gateways if uplink.made is None else ():
            family = "-6" if gateway.version == 6 else "-4"
            onlink = "" if gateway.is_link_local else "onlink"
            metric = f"metric {uplink.metric}" if uplink.metric else ""
            sh(f"ip {family} route add default via {gateway} dev {dev} {metric} {onlink}")


def unordered() -> str:
    """Everything, but for the order of maps and of their elements, which nft lists as they came."""
    lines = (line.replace("elements = {", "").strip(" \t,}") for line in everything().splitlines())
    return "\n".join(sorted(lines))


def cases(spec: Spec) -> dict[str, Case]:
    other = Spec(
        tuple(
            evolve(r, forward=(Forward((Ports(2022, 2022),)), *r.forward[1:]), hairpin=False)
            for r in spec.routers
        )
    )

    def first(machine: Machine) -> object:
        return apply_spec(machine, spec)

    def change(machine: Machine) -> object:
        return apply_spec(machine, other)

    return {"first apply": Case((), first), "change": Case((first,), change),
            "down": Case((first,), down)}  # fmt: skip


@pytest.mark.parametrize("name", ["first apply", "change"])
@pytest.mark.parametrize("path", RULESETS, ids=lambda path: path.stem)
def test_failed_operation_of_a_ruleset_leaves_everything_as_found(
    box: None, path: Path, name: str
) -> None:
    spec = load(path)
    host_of(spec)
    case = cases(spec)[name]
    prepare(case.prior)
    found = unordered()
    kept = {n: records.read(n) for n in records.names()}
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(case.act, machine):
                break
        assert_same(unordered(), found)
        assert {n: records.read(n) for n in records.names()} == kept
        assert journal.unfinished() is None
    assert number > 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["first apply", "change", "down"])
@pytest.mark.parametrize("path", tuple(with_all_kinds(RULESETS)), ids=lambda path: path.stem)
def test_killed_process_of_a_ruleset_is_recovered(
    box: None, path: Path, name: str, when: str
) -> None:
    spec = load(path)
    host_of(spec)
    case = cases(spec)[name]
    prepare(case.prior)
    found = unordered()
    kept = {n: records.read(n) for n in records.names()}
    for number in range(1, 200):
        if not _killed(case.act, number, when):
            break
        with Machine() as machine:
            assert recover(machine) is not None
        assert_same(unordered(), found)
        assert {n: records.read(n) for n in records.names()} == kept
    assert number > 1
