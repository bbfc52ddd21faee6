"""What is wanted for the connections that are older than the uplinks' last move."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import handover
from nftnsr.kernel import scratch
from nftnsr.kernel.machine import Machine
from nftnsr.spec.model import Router
from nftnsr.state.flows import Flow
from nftnsr.state.model import HOST, Address, Link, State
from nftnsr.transaction.records import Record


def applied(machine: Machine, router: Router, found: State) -> State:
    """For those with an uplink's address, and those that an earlier handover kept."""
    return scratch.normal_form(handover.applied(router, tuple(_open(machine, router, found))))


def as_found(_: Machine, router: Router, found: State) -> State:
    """What there is of it: that connections come to their end in the meantime is no drift."""
    return handover.among(found, handover.places(router))


def returned(machine: Machine, record: Record, found: State) -> State:
    """For those with the veth's address, when the uplinks come back to the host, or are back."""
    uplinks = [i.name for i in record.before[HOST].items if isinstance(i, Link)]
    flows = tuple(_translated(machine, record, found))
    if not uplinks or not flows:
        return State({})
    return scratch.normal_form(handover.returned(record.router, uplinks, flows))


def _open(machine: Machine, router: Router, found: State) -> Iterator[Flow]:
    public = {i.ip for i in router.addresses}
    known = handover.public_ends(found, router.name)
    for each in machine.connections():
        own = (each.local, each.local_port)
        end = own if each.local in public else known.get(each.far)
        if each.local.version == 4 and end is not None:
            yield Flow(each, *end)


def _translated(machine: Machine, record: Record, found: State) -> Iterator[Flow]:
    """Those whose public end is an address that an uplink had, and gets again."""
    restored = {i.interface.ip for i in record.before[HOST].items if isinstance(i, Address)}
    veth = (i for i in record.applied[HOST].items if isinstance(i, Address) and i.dev != "lo")
    inside = {i.interface.ip for i in veth if i.interface.version == 4}
    known = handover.public_ends(found, record.router)
    there = record.router in found
    for each in machine.connections():
        if each.local in inside:
            end = machine.public_end(record.router, each) if there else None
            end = end or known.get(each.far)
            if end is not None and end[0] in restored:
                yield Flow(each, *end)
