"""Uplinks: an interface that moves, or one that is made, with its addresses and gateways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, get_args

from attrs import evolve

from . import values
from .addresses import Addresses
from .draft import At, UplinkDraft
from .keys import FURTHER_KEYS, HOST_KEYS, MADE_KEYS, ROUTER_KEYS
from .model import FIRST_TABLE, MadeUplink, UplinkKind
from .problems import Fault, Path
from .table import Table
from .values import Unreadable, unreadable
from .words import header, kind_of, quoted

_MODES: Final[dict[UplinkKind, tuple[str, ...]]] = {
    "macvlan": ("bridge", "private", "vepa"),
    "ipvlan": ("l2", "l3", "l3s"),
}
_WORDS: Final[dict[UplinkKind, tuple[str, ...]]] = {
    "macvlan": ("parent", "mode"),
    "ipvlan": ("parent", "mode"),
    "vlan": ("parent", "id"),
    "veth": ("bridge",),
}


_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_-]{0,30}")
_STEP: Final = 100
_HOMES: Final = [(ROUTER_KEYS, "the router's own table"), (HOST_KEYS, "the table of the host")]
MTUS: Final = (65535, 68)  # the most and the least (RFC 791)


def read(table: Table, faults: list[Fault]) -> UplinkDraft:
    """An uplink, from the table that says it."""
    dev, made = _interface(table, faults)
    addresses = Addresses(faults)
    altnames = table.texts("altnames", values.altname)
    table.number("mtu", *MTUS)
    table.setting("mac", values.mac, None)
    said = table.settings.keys() & {"mtu", "mac"}
    settings: dict[str, Any] = {key: table.settings.pop(key) for key in said}
    if table.is_array("altnames"):
        settings["altnames"] = altnames.values
    return UplinkDraft(
        path=table.path,
        dev=dev,
        made=made,
        addresses=table.array("addresses", addresses, "an array of addresses"),
        address_options=addresses.options,
        altnames=altnames,
        gateways=table.texts("gateways", values.gateway),
        settings=settings,
    )


def read_further(table: Table, faults: list[Fault]) -> tuple[UplinkDraft, ...]:
    """The further uplinks of a router's table, in the order of their names."""
    value = table.table("uplinks") or {}
    metrics = count(_STEP, _STEP)
    found: list[UplinkDraft] = []
    for name, raw in sorted(value.items()):
        path = (*table.path, "uplinks", name)
        if not _NAME.fullmatch(name):
            message = f"{quoted(name)} is no name for an uplink"
            hint = "it begins with a letter, then letters, digits, - and _, 31 of them at most"
            faults.append(Fault(path, message, hint, on_key=True))
        elif not isinstance(raw, dict):
            message = f"an uplink must be a table, not {kind_of(raw)}"
            faults.append(Fault(path, message, f"write {header(path[1:])}"))
        else:
            found.append(
                _further(name, Table(raw, path, FURTHER_KEYS, faults, _HOMES), metrics, faults)
            )
    return tuple(found)


def _further(name: str, table: Table, metrics: Iterator[int], faults: list[Fault]) -> UplinkDraft:
    uplink = read(table, faults)
    table.number("metric", 2**31 - 1, 1)
    table.number("mark", 2**32 - 1, 1)
    metric = table.settings.get("metric") or next(metrics)
    mark = table.settings.get("mark") or FIRST_TABLE + metric
    dev = uplink.dev
    if dev is None and table.get("uplink") is None:
        dev = _called(name, table)
    return evolve(
        uplink,
        name=name,
        dev=dev,
        metric=At((*table.path, "metric"), metric),
        mark=At((*table.path, "mark"), mark),
        networks=table.texts("networks", values.network),
    )


def _called(name: str, table: Table) -> At[str] | None:
    """An interface that has the uplink's name."""
    try:
        return At(table.path, values.interface_name(name))
    except Unreadable as error:
        table.flaws(table.path, error)
        return None


def _interface(table: Table, faults: list[Fault]) -> tuple[At[str] | None, MadeUplink | None]:
    """The uplink's name, and how it is made where it is."""
    value = table.get("uplink")
    if not isinstance(value, dict):
        return table.text("uplink", values.interface_name, "a string or a table"), None
    path = (*table.path, "uplink")
    made = Table(value, path, MADE_KEYS, faults)
    name = made.text("name", values.interface_name)
    kind = made.text("kind", _kind)
    made.setting("parent", values.interface_name, None)
    made.setting("bridge", values.interface_name, None)
    made.number("id", 4094, 1)
    made.text("mode", str)
    if name is None or kind is None:
        return name, None
    _check(made, path, kind.value, value)
    mode = value.get("mode") or next(iter(_MODES.get(kind.value, ())), None)
    return name, MadeUplink(name.value, kind.value, mode=mode, **made.settings)


def _kind(text: str) -> UplinkKind:
    for kind in get_args(UplinkKind):
        if text == kind:
            found: UplinkKind = kind
            return found
    raise unreadable(f"an uplink cannot be a {text}", f"write {', '.join(get_args(UplinkKind))}")


def _check(table: Table, path: Path, kind: UplinkKind, raw: dict[str, Any]) -> None:
    """What this kind needs, and what it has no use for."""
    words = _WORDS[kind]
    for word in ("parent", "bridge", "mode", "id"):
        if word in raw and word not in words:
            table.fault(word, f"a {kind} has no `{word}`", "leave it out", on_key=True)
    for word in words:
        if word not in raw and word != "mode":
            table.fault(word, f"a {kind} needs `{word}`", f"add {MADE_KEYS[word].line}")
    mode = raw.get("mode")
    if isinstance(mode, str) and "mode" in words and mode not in _MODES[kind]:
        hint = f"write {', '.join(_MODES[kind])}"
        table.fault("mode", f"{quoted(mode)} is no mode of a {kind}", hint)
