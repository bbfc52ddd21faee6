"""The table `[router.NAME.filter]`: block lists, bogons, logging, and what else may pass or not."""

from __future__ import annotations

import re
from typing import Any, Final

from . import blocklists, values
from .draft import FilterDraft
from .keys import FILTER_KEYS, HOST_KEYS, ROUTER_KEYS
from .model import Rate
from .problems import Fault, Path
from .table import Table
from .values import unreadable
from .words import header, quoted

_RATE: Final = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour|day)")
_PREFIX_BYTES: Final = 100  # the kernel takes 127 (NF_LOG_PREFIXLEN)


def read(path: Path, raw: dict[str, Any], faults: list[Fault]) -> FilterDraft:
    router = path[1:3]
    homes = [(ROUTER_KEYS, header(router)), (HOST_KEYS, header((*router, "host")))]
    table = Table(raw, path, FILTER_KEYS, faults, homes)
    for key in ("bogons", "reverse_path_ipv6"):
        table.flag(key)
    table.number("log_group", 2**16 - 1)
    table.setting("log_drops", rate, None)
    table.setting("log_prefix", _prefix, None)
    return FilterDraft(
        path=path,
        inbound=table.texts("inbound", values.network),
        blocklists=blocklists.read(table),
        settings=table.settings,
    )


def rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    if match is None:
        hint = 'write "10/minute"; the units are second, minute, hour and day'
        raise unreadable(f"{quoted(text)} is no rate", hint)
    return Rate(int(match[1]), match[2])  # type: ignore[arg-type]


def _prefix(text: str) -> str:
    if not text or len(text.encode()) > _PREFIX_BYTES:
        raise unreadable(f"the prefix of a log has 1 to {_PREFIX_BYTES} bytes")
    bad = next((c for c in text if c in '"\\' or not c.isprintable()), None)
    if bad is not None:
        raise unreadable(f"the prefix of the log contains {quoted(bad)}")
    return text
