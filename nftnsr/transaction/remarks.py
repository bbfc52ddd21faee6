"""What a person should know beyond what was done: it failed nothing, and it is not as expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from nftnsr.kernel import namespaces
from nftnsr.kernel.machine import Machine
from nftnsr.spec.model import Spec
from nftnsr.state.model import HOST, Address, Link, Route, State
from nftnsr.transaction import records
from nftnsr.transaction.records import Record


@frozen
class Remark:
    """The fact and what can be done about it, in a sentence each."""

    message: str
    hint: str


@frozen
class Ending:
    """A namespace that is about to end."""

    name: str
    identity: tuple[int, int]
    tables: tuple[str, ...]

    @classmethod
    def of(cls, machine: Machine, name: str) -> Ending:
        return cls(name, machine.identity(name), machine.foreign_tables(name))


def about_managers(machine: Machine, spec: Spec, found: State) -> Iterator[Remark]:
    """Who else configures an uplink, told when it is taken for the first time."""
    for router in spec.routers:
        new = records.read(router.name) is None
        here = [u.dev for u in router.moved if found[HOST].link(u.dev) is not None]
        for manager in (m for dev in here if new for m in machine.managers(dev)):
            yield Remark(manager.fact, manager.repair)


def about_ends(endings: Iterable[Ending]) -> Iterator[Remark]:
    """What ended with a namespace, and what it goes on for; looked at after its end."""
    for ending in endings:
        name, tables = ending.name, ", ".join(ending.tables)
        if held := namespaces.holding(*ending.identity):
            contents = f"with no interface but {tables}" if tables else "empty"
            yield Remark(
                f"namespace {name} has lost its name and goes on, {contents}, for "
                f"{', '.join(map(str, held))}",
                "it ends when they do; nothing of this host's is in it",
            )
        elif tables:
            yield Remark(
                f"namespace {name} ended with what nftnsr did not make in it: {tables}",
                "add it again where it belongs",
            )


def lost_uplinks(kept: Iterable[Record], found: State) -> tuple[tuple[Record, Link], ...]:
    """The uplinks of routers that are not anywhere to be found."""
    there = {link.name for link in found.links()}
    return tuple(
        (record, item)
        for record in kept
        for item in record.before[HOST].items
        if isinstance(item, Link) and not item.made and item.name not in there
    )


def about_lasting(
    kept: Mapping[str, Record | None], lost: Iterable[tuple[Record, Link]]
) -> Iterator[Remark]:
    """Connections that outlive the veth, and what keeps them alive until they end."""
    gone = {record.router for record, _ in lost}
    for name, record in kept.items():
        if record is not None and name not in gone:
            yield Remark(
                f"connections over router {name} go on; for them its address stays on lo, and a "
                "table that translates",
                f"nftnsr down {name} takes both away when they have ended",
            )


def about_lost(lost: Iterable[tuple[Record, Link]]) -> Iterator[Remark]:
    """What could not be given back, since it is gone."""
    for record, link in lost:
        had = [
            str(i.interface) for i in record.before[HOST].items
            if isinstance(i, Address) and i.dev == link.name
        ] + [
            f"default via {hop.via}" for i in record.before[HOST].items
            if isinstance(i, Route) and i.destination.prefixlen == 0
            for hop in i.hops if hop.dev == link.name
        ]  # fmt: skip
        yield Remark(
            f"interface {link.name}{_address(link)} is gone: it is neither on this host nor in "
            f"namespace {record.router}, so it could not be given back",
            f"it had {', '.join(had) or 'no addresses'}; what it had stays remembered: run "
            f"nftnsr down {record.router} again when it is back",
        )


def _address(link: Link) -> str:
    return f" ({link.mac})" if link.mac else ""
