"""The host as it was, and would be again, without the routers that are applied on it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from nftnsr.state.model import (
    HOST,
    PARKED,
    RTPROT_NFTNSR,
    Address,
    Item,
    Link,
    Namespace,
    PolicyRule,
    Route,
)
from nftnsr.transaction import records
from nftnsr.transaction.memory import on
from nftnsr.transaction.records import Record


def without_routers(live: Namespace, names: Iterable[str]) -> Namespace:
    """What of the host is not nftnsr's, and what these routers took from it before that.

    Without root no record can be read: then it is the host as it is.
    """
    kept: list[Record] = []
    with suppress(PermissionError):
        kept += [record for name in names if (record := records.read(name)) is not None]
    ours = {i.name for r in kept for i in r.applied[HOST].items if isinstance(i, Link) and i.made}
    rest = (i for i in live.items if not _is_ours(i) and not any(on(i, dev) for dev in ours))
    return Namespace(tuple(rest)).plus(i for r in kept for i in r.before[HOST].items)


def _is_ours(item: Item) -> bool:
    match item:
        case Route() | PolicyRule():
            return item.protocol == RTPROT_NFTNSR
        case Address():
            return item.label == PARKED
        case _:
            return False
