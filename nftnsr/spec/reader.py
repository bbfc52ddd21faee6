"""From the data of a TOML file to drafts of its routers, noting every fault on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from . import filter, inner, phrases, sysctls, translations, uplinks, values
from .draft import Many, RouterDraft
from .forward_tables import Forwards
from .keys import FILTER_KEYS, FORWARD_KEYS, HOST_KEYS, ROUTER_KEYS
from .model import Forward, InboundIPv6
from .problems import Fault
from .routes import Routes
from .table import Table, nearest
from .values import Unreadable, unreadable
from .words import header, kind_of, number, quoted

_FLAGS: Final = (
    "strict", "masquerade", "hairpin", "drop_invalid", "forward_filter", "counters", "proxy_ndp",
)  # fmt: skip
_SEGMENTS: Final = (
    536,
    65495,
)  # what every host takes (RFC 9293), and the largest MTU has room for


def read(file: str, data: dict[str, Any], faults: list[Fault]) -> Iterator[RouterDraft]:
    for key in data:
        if key != "router":
            near = nearest(key, ["router"])
            hint = 'did you mean "router"?' if near else "a spec has only [router.NAME] tables"
            faults.append(Fault((file, key), f"unknown key {quoted(key)}", hint, on_key=True))
    routers = data.get("router")
    if isinstance(routers, dict) and routers:
        for name, raw in routers.items():
            draft = _router(file, name, raw, faults)
            if draft is not None:
                yield draft
    elif routers is not None and not isinstance(routers, dict):
        message = f"`router` must be a table of routers, not {kind_of(routers)}"
        faults.append(Fault((file, "router"), message, "write [router.ens3]"))
    elif not faults:
        message = "there is no router in this file"
        faults.append(Fault((file,), message, "begin with [router.ens3]"))


def _router(file: str, name: str, raw: object, faults: list[Fault]) -> RouterDraft | None:
    path = (file, "router", name)
    try:
        values.router_name(name)
    except Unreadable as error:
        faults += [Fault(path, flaw.message, flaw.hint, on_key=True) for flaw in error.flaws]
    if not isinstance(raw, dict):
        message = f"a router must be a table, not {kind_of(raw)}"
        faults.append(Fault(path, message, "write [router.ens3]"))
        return None
    homes = [
        (HOST_KEYS, header(("router", name, "host"))),
        (FILTER_KEYS, header(("router", name, "filter"))),
        (FORWARD_KEYS, "an element of `forward`"),
    ]
    table = Table(raw, path, ROUTER_KEYS, faults, homes)
    for key in _FLAGS:
        table.flag(key)
    table.number("proxy_delay", 2**31 - 1)  # a C int in the kernel
    table.number("accept_ra", 2)
    table.number("rp_filter", 2)
    table.setting("inbound_ipv6", _inbound_ipv6, "open")
    table.setting("source_ports", translations.source_ports, "preserve")
    if mss := table.scalar("mss_clamp", _mss):
        table.settings["mss_clamp"] = mss.value
    host = table.table("host")
    first = uplinks.read(table, faults)
    return RouterDraft(
        path=path,
        name=name,
        uplinks=(first, *uplinks.read_further(table, faults)),
        forward=_enabled(table.array("forward", Forwards(faults), "an array of forwards")),
        one_to_one=table.texts("one_to_one", translations.one_to_one),
        prefix_translation=table.texts("prefix_translation", translations.prefixes),
        snat=table.array("snat", translations.SourceNats(faults), "an array of translations"),
        no_nat=table.texts("no_nat", values.network),
        helpers=table.texts("helpers", translations.helper),
        routes=table.array("routes", Routes(faults), "an array of routes"),
        rules=table.texts("rules", phrases.rule),
        neighbours=table.texts("neighbours", phrases.neighbour),
        sysctls=sysctls.read(table),
        host=None if host is None else inner.read_host((*path, "host"), host, faults),
        inner=inner.read_further(table, faults),
        filter=filter.read((*path, "filter"), table.table("filter") or {}, faults),
        settings=table.settings,
    )


def _enabled(forwards: Many[Forward]) -> Many[Forward]:
    """What is switched off has been read, so that its own faults are told, and counts no more."""
    return Many(tuple(item for item in forwards if item.value.enabled), forwards.whole)


def _inbound_ipv6(text: str) -> InboundIPv6:
    match text:
        case "open" | "forwards":
            return text
        case _:
            raise unreadable(f'inbound_ipv6 {quoted(text)} is neither "open" nor "forwards"')


def _mss(value: object) -> bool | int:
    if isinstance(value, bool):
        return value
    first, last = _SEGMENTS
    if isinstance(value, int) and first <= value <= last:
        return value
    said = number(value) if isinstance(value, int) else kind_of(value)
    message = f"`mss_clamp` must be true, false or {first} to {last} bytes, not {said}"
    raise unreadable(message, "write mss_clamp = true or mss_clamp = 1452")
