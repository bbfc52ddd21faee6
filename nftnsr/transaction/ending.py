"""What would be destroyed with a router, or keeps it from ending, found before `down` starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from nftnsr.kernel.machine import Machine
from nftnsr.state.model import HOST, Link, State
from nftnsr.transaction.preflight import Obstacle, ip_words, name_taken
from nftnsr.transaction.records import Record


def obstacles_to_end(
    machine: Machine, kept: Iterable[Record], found: State
) -> tuple[Obstacle, ...]:
    """All that stands in the way of taking these routers down; nothing was touched yet."""
    return tuple(o for record in kept for o in _to_end(machine, record, found))


def _to_end(machine: Machine, record: Record, found: State) -> Iterator[Obstacle]:
    name = record.router
    uplinks = [i.name for i in record.before[HOST].items if isinstance(i, Link)]
    for uplink in uplinks:
        yield from name_taken(machine, uplink, found, HOST)
    if name not in found:
        return
    there = {link.name for link in found.links()}
    known = [i.called for i in found[name].items if isinstance(i, Link)]
    for link in machine.strangers(name, known):
        yield _stranger(link, name, ip_words(name, found), [u for u in uplinks if u not in there])


def _stranger(link: Link, namespace: str, ip: str, lost: Iterable[str]) -> Obstacle:
    dev, kind = quote(link.name), f" ({link.kind})" if link.kind else ""
    repair = f"move it out ({ip} link set dev {dev} netns 1) or delete it ({ip} link del {dev})"
    for uplink in lost:
        repair += f"; if it is {uplink}: {ip} link set dev {dev} name {quote(uplink)}"
    return Obstacle(
        f"in namespace {namespace} is interface {link.name}{kind}, which nftnsr did not make and "
        "which would end with it",
        repair,
    )
