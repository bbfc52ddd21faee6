"""What must hold between the values of a spec, each rule a generator of faults.

A rule speaks only of what could be read: a field with a fault of its own causes no second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..draft import RouterDraft
from ..problems import Fault
from . import (
    filter,
    forwards,
    links,
    machine,
    places,
    routes,
    synproxy,
    translations,
    untranslated,
    uplink,
    uplinks,
    veth,
)


def router_faults(router: RouterDraft) -> Iterator[Fault]:
    """What contradicts itself within one router."""
    yield from uplink.faults(router)
    yield from uplinks.faults(router)
    yield from links.faults(router)
    yield from veth.faults(router)
    yield from routes.faults(router)
    yield from forwards.faults(router)
    yield from untranslated.faults(router)
    yield from synproxy.faults(router)
    yield from translations.faults(router)
    yield from filter.faults(router)


def machine_faults(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """What keeps routers, and what they lead to, from living on one machine."""
    yield from machine.faults(routers)
    yield from places.faults(routers)
