"""The table `[router.NAME.filter]`: the router's own ports, egress, block lists, logging."""

from __future__ import annotations

import re
from typing import Any, Final

from . import blocklists, forwards, values
from .draft import FilterDraft
from .forward_tables import TCP, ports_of, sources_of
from .forwards import Reading
from .keys import FILTER_KEYS, HOST_KEYS, ROUTER_KEYS, SERVICE_KEYS
from .model import Egress, Rate, Service
from .problems import Fault, Path
from .table import Table
from .values import Flaw, Unreadable, unreadable
from .words import header, kind_of, quoted

_RATE: Final = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour|day)")
_WORD: Final = re.compile(r"\S+")
_PORTS: Final = re.compile(r".*/[A-Za-z+]+")
_PREFIX_BYTES: Final = 100  # the kernel takes 127 (NF_LOG_PREFIXLEN)

_EGRESS_HINT: Final = (
    'write "10.42.0.0/24 -> 192.0.2.0/24", "10.42.0.0/24 -> 443/tcp", both targets behind one '
    'another, or "10.42.0.0/24 -> nothing"'
)


def read(path: Path, raw: dict[str, Any], faults: list[Fault]) -> FilterDraft:
    router = path[1:3]
    homes = [(ROUTER_KEYS, header(router)), (HOST_KEYS, header((*router, "host")))]
    table = Table(raw, path, FILTER_KEYS, faults, homes)
    for key in ("ping", "bogons", "reverse_path_ipv6"):
        table.flag(key)
    table.number("log_group", 2**16 - 1)
    table.setting("log_drops", rate, None)
    table.setting("log_prefix", _prefix, None)
    services = table.array("input", _Services(faults), "an array of ports")
    return FilterDraft(
        path=path,
        input=services if "input" in raw else None,
        egress=table.texts("egress", egress),
        inbound=table.texts("inbound", values.network),
        blocklists=blocklists.read(table),
        settings=table.settings,
    )


class _Services:
    """Reads an element of `input`, a string or a table."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def __call__(self, value: object, path: Path) -> Service | None:
        if isinstance(value, str):
            return service(value)
        if not isinstance(value, dict):
            message = f"a port of `input` must be a string or a table, not {kind_of(value)}"
            raise unreadable(message, 'write "9100/tcp" or { port = 9100 }')
        before = len(self._faults)
        table = Table(value, path, SERVICE_KEYS, self._faults)
        ports = ports_of(table)
        table.setting("protocol", forwards.protocols, TCP)
        sources = sources_of(table, "reach the port")
        if ports is None or len(self._faults) > before:
            return None
        return Service(ports=ports, sources=sources.values, **table.settings)


def service(text: str) -> Service:
    """A port of the router itself, `9100/tcp`."""
    found = forwards.short(text)
    if found.to_host and not found.addresses:
        return Service(found.ports, found.protocols)
    if found.addresses:
        hint = f'write "{found.service}"'
        raise unreadable(f"{quoted(text)} is for one address, and `input` is for all", hint)
    message = f"{quoted(text)} leads elsewhere: what is in `input` is the router's own"
    raise Unreadable(Flaw(message, "write it in `forward`", text.index("->"), len(text)))


def egress(text: str) -> Egress:
    """`10.42.0.0/24 -> 192.0.2.0/24`, `... -> 443/tcp`, both, or `... -> nothing`."""
    head, arrow, _ = text.partition("->")
    words = list(_WORD.finditer(text, len(head) + len(arrow)))
    names, starts = [m[0] for m in words], [m.start() for m in words]
    ports = names and _PORTS.fullmatch(names[-1])
    if not head.strip() or not names or len(names) > (2 if ports else 1):
        raise unreadable(f"{quoted(text)} does not say who may go where", _EGRESS_HINT)
    reading = Reading()
    source = reading.part(values.network, head.strip(), len(head) - len(head.lstrip()))
    port = reading.part(service, names[-1], starts[-1]) if ports else None
    nothing = names == ["nothing"]
    named = not nothing and (len(names) == 2 or not ports)
    destination = reading.part(values.source, names[0], starts[0]) if named else None
    reading.check()
    assert source is not None
    if destination is not None and destination.version != source.version:
        raise unreadable(f"{source} and {destination} are of two address families")
    of_port = ((), ()) if port is None else (port.ports, port.protocols)
    return Egress(source, destination, *of_port, nothing)


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
