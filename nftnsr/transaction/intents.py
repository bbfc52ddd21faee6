"""What each command wants, as an intent: apply a spec, take routers down, recover."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from attrs import evolve

from nftnsr.compile import compile_spec
from nftnsr.compile.addressing import router_links
from nftnsr.compile.handover import places
from nftnsr.compile.sysctl import router_sysctls
from nftnsr.kernel import scratch
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.scope import Scope
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Address, Item, Link, Namespace, State, Sysctl
from nftnsr.state.unmanaged import foreign_items, unmanaged
from nftnsr.transaction import handover, memory, records
from nftnsr.transaction.journal import Entry
from nftnsr.transaction.memory import Change, on
from nftnsr.transaction.records import Record
from nftnsr.transaction.remarks import lost_uplinks
from nftnsr.transaction.transact import Goal, Intent

Observe: TypeAlias = Callable[[Machine, Scope], State]


def apply_intent(machine: Machine, spec: Spec) -> tuple[Intent, State]:
    """The intent of `apply`, and the state that was found."""
    return _intent(machine, spec, handover.applied)


def diff_intent(
    machine: Machine, spec: Spec, observe: Observe = Machine.observe
) -> tuple[Intent, State]:
    """As for `apply`, but what there is of a handover is as wanted."""
    return _intent(machine, spec, handover.as_found, observe)


def _intent(
    machine: Machine,
    spec: Spec,
    handed: Callable[[Machine, Router, State], State],
    observe: Observe = Machine.observe,
) -> tuple[Intent, State]:
    kept = {router.name: records.read(router.name) for router in spec.routers}
    compiled = compile_spec(spec)
    scope = _scope(State.union((compiled, *map(places, spec.routers))), kept.values())
    scope = evolve(scope, remembered=frozenset(n for n, record in kept.items() if record))
    found = observe(machine, scope)
    compiled = scratch.normal_form(compiled)
    shapes = {r.name: memory.shapes(r, kept[r.name], found) for r in spec.routers}
    changes = {
        r.name: Change.of(r, kept[r.name], found, compiled[HOST], shapes[r.name])
        for r in spec.routers
    }
    released = memory.only_host(tuple(i for change in changes.values() for i in change.released))
    handovers = (handed(machine, r, found) for r in spec.routers)
    shaped = (memory.shaped(compiled, r, shapes[r.name]) for r in spec.routers)
    resets = (_reset(router, kept[router.name]) for router in spec.routers)
    wanted = State.union((compiled, *shaped, *resets, released, *handovers))
    ours = State.union(r.applied for r in kept.values() if r is not None)
    ours = State.union((ours, _foreign(spec, wanted, found, ours)))
    # What the uplinks are known by from now on: a crash may leave one under another name.
    goal = Goal(wanted, scope.learning(found), ours)
    return Intent("apply", goal, {n: c.record for n, c in changes.items()}), found


def _foreign(spec: Spec, wanted: State, found: State, ours: State) -> State:
    """What others put where nothing but nftnsr's own may be: it goes as if it were ours."""
    strict = {router.name for router in spec.routers if router.strict}
    there = [u for u in unmanaged(wanted, found, ours) if u.namespace in strict]
    taken: dict[str, list[Item]] = {name: [] for name in strict}
    for name, item in foreign_items(there, found):
        taken[name].append(item)
    return State({name: Namespace(tuple(items)) for name, items in taken.items()})


def _reset(router: Router, record: Record | None) -> State:
    """The settings that the last spec said, and this one leaves as they are new."""
    if record is None:
        return State({})
    gone = {i.name for i in record.applied[router.name].items if isinstance(i, Link)}
    gone -= {link.name for link in router_links(router)}
    said = (i for i in record.applied[router.name].items if isinstance(i, Sysctl))
    lasting = {i.path for i in said if not any(on(i, dev) for dev in gone)}
    unsaid = sorted(lasting - {each.path for each in router_sysctls(router)})
    settings = scratch.usual(unsaid) if unsaid else ()
    return State({router.name: Namespace(tuple(settings))})


def down_intent(machine: Machine, kept: Iterable[Record]) -> tuple[Intent, State]:
    """The intent of `down` for the routers of these records, and the state that was found.

    Of an uplink that is gone nothing is wanted, and its record is kept for when it is back. So it
    is while connections live on whose address has gone with the veth.
    """
    kept = tuple(kept)
    scope = _scope(State({}), kept)
    found = machine.observe(scope)
    lost = lost_uplinks(kept, found)
    items = (i for record in kept for i in _given_back(machine, record, found))
    host = memory.only_host(tuple(i for i in items if not any(on(i, dev.name) for _, dev in lost)))
    returned = {r.router: handover.returned(machine, r, found) for r in kept}
    wanted = State.union((host, *returned.values()))
    goal = Goal(wanted, scope, State.union(r.applied for r in kept))
    remains = {r.router for r in kept if returned[r.router].namespaces}
    remains |= {record.router for record, _ in lost}
    remembered = {r.router: evolve(r, down=True) if r.router in remains else None for r in kept}
    return Intent("down", goal, remembered, restores=True), found


def rollback_intent(machine: Machine, entry: Entry) -> tuple[Intent, State]:
    """The intent to undo a transaction that was committed, and the state that was found.

    Of a router that goes again the connections go on, as with `down`.
    """
    found = machine.observe(entry.scope)
    spaces = {
        n: Namespace(_without_leases(s.items), foreign=s.foreign)
        for n, s in entry.found.namespaces.items()
    }
    going = (records.read(n) for n in entry.records if n in found and n not in entry.found)
    returned = {r.router: (r, handover.returned(machine, r, found)) for r in going if r is not None}
    wanted = State.union((State(spaces), *(state for _, state in returned.values())))
    lasting = {n: r for n, (r, state) in returned.items() if state.namespaces}
    goal = Goal(wanted, entry.scope, entry.ours)
    return Intent("rollback", goal, {**entry.records, **lasting}), found


def uplink_scope(spec: Spec) -> Scope:
    """Where to look for the uplinks of `spec`, and by what to know them."""
    return _scope(compile_spec(spec), (records.read(router.name) for router in spec.routers))


def _scope(wanted: State, kept: Iterable[Record | None]) -> Scope:
    known = (state for r in kept if r is not None for state in (r.applied, r.before))
    return Scope.of(wanted, *known)


def record_without_apply(router: Router) -> Record:
    """A record for a router of which none was kept."""
    return Record(router.name, memory.only_host(memory.assumed(router)), memory.applied(router))


def _given_back(machine: Machine, record: Record, found: State) -> tuple[Item, ...]:
    """What the host gets when a router goes."""
    before = record.before[HOST].items
    if record.router not in found:
        here = [i for i in found[HOST].items if isinstance(i, Link) and not i.made]
        if not all(_is_bare(link, found[HOST]) for link in here):
            # No namespace, after a reboot say: the uplink is somebody else's business now.
            mine = (i for i in found[HOST].items if any(on(i, link.name) for link in here))
            return tuple(evolve(i, called=i.name) if isinstance(i, Link) else i for i in mine)
    return _without_leases(before)


def _without_leases(items: Iterable[Item]) -> tuple[Item, ...]:
    """What comes back after a time: leases have ended meanwhile, and who renews them sets them."""
    return tuple(
        evolve(i, lifetime=None, lasting=None) if isinstance(i, Address) else i for i in items
    )


def _is_bare(link: Link, host: Namespace) -> bool:
    """Whether a link is as the kernel gives it back from a namespace that has ended."""
    return not link.up and not any(
        isinstance(i, Address) and i.dev == link.name for i in host.items
    )
