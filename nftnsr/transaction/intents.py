"""What each command wants, as an intent: apply a spec, take routers down, recover."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from nftnsr.compile import compile_host, compile_router, compile_spec
from nftnsr.kernel.machine import Machine, Scope
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import (
    HOST,
    RULESET,
    Address,
    Item,
    Link,
    Namespace,
    Neighbour,
    Route,
    State,
    Sysctl,
    Table,
)
from nftnsr.transaction import records
from nftnsr.transaction.records import Record
from nftnsr.transaction.transact import Intent


def apply_intent(machine: Machine, spec: Spec) -> tuple[Intent, State]:
    """The intent of `apply`, and the state that was found."""
    kept = {router.name: records.read(router.name) for router in spec.routers}
    compiled = machine.normal_form(compile_spec(spec))
    known = [state for r in kept.values() if r is not None for state in (r.applied, r.before)]
    scope = Scope.of(compiled, *known)
    found = machine.observe(scope)
    changes = {r.name: _Change.of(r, kept[r.name], found, compiled[HOST]) for r in spec.routers}
    host = compiled[HOST].plus(i for change in changes.values() for i in change.released)
    wanted = State({**compiled.namespaces, HOST: host})
    return Intent("apply", wanted, scope, {n: c.record for n, c in changes.items()}), found


def down_intent(machine: Machine, kept: Iterable[Record]) -> tuple[Intent, State]:
    """The intent of `down` for the routers of these records, and the state that was found."""
    kept = tuple(kept)
    scope = Scope.of(*(state for r in kept for state in (r.applied, r.before)))
    wanted = _host(tuple(item for record in kept for item in record.before[HOST].items))
    return Intent("down", wanted, scope, {r.router: None for r in kept}), machine.observe(scope)


def record_without_apply(router: Router) -> Record:
    """A record for a router of which none was kept: there is a link to give back, no more."""
    return Record(router.name, _host((Link(router.uplink),)), _applied(router))


def _host(items: tuple[Item, ...]) -> State:
    return State({HOST: Namespace(items)})


@frozen
class _Change:
    """What an apply means for the memory of one router."""

    record: Record
    released: tuple[Item, ...] = ()
    """What the host gets back because the router does not use its old uplink any more."""

    @classmethod
    def of(cls, router: Router, old: Record | None, found: State, host: Namespace) -> _Change:
        applied = _applied(router)
        if old is not None and old.before[HOST].link(router.uplink) is not None:
            # What the host had before the first apply stays remembered through all later ones.
            return cls(evolve(old, applied=applied))
        items = tuple(i for i in found[HOST].items if _on(i, router.uplink))
        before = items or (Link(router.uplink),)
        earlier = old.before[HOST].items if old is not None else ()
        # Routes in whose place the router's own are now (the default) come back with `down` only.
        taken = {i.place for i in host.items if isinstance(i, Route)}
        withheld = tuple(i for i in earlier if isinstance(i, Route) and i.place in taken)
        released = tuple(i for i in earlier if i not in withheld)
        return cls(Record(router.name, _host((*before, *withheld)), applied), released)


def _applied(router: Router) -> State:
    """Where the router lives, for a later observation: everything but the ruleset's contents."""
    space = compile_router(router)
    kept = tuple(i for i in space.items if not isinstance(i, RULESET) or isinstance(i, Table))
    return State({HOST: compile_host(router), router.name: Namespace(kept)})


def _on(item: Item, dev: str) -> bool:
    match item:
        case Link(name):
            return name == dev
        case Address() | Neighbour():
            return item.dev == dev
        case Route():
            return dev in item.devs
        case Sysctl(path, _):
            return f"/{dev}/" in path
        case _:
            return False
