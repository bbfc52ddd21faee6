"""From the data of a TOML file to drafts of its routers, noting every fault on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from . import filter, forwards, values
from .addresses import Addresses
from .draft import HostDraft, Many, RouterDraft
from .keys import FILTER_KEYS, FORWARD_KEYS, HOST_KEYS, ROUTER_KEYS
from .model import (
    HOST_LINK_LOCAL,
    ROUTER_LINK_LOCAL,
    Forward,
    InboundIPv6,
    Network,
    Ports,
)
from .problems import Fault, Path
from .table import Table, nearest
from .values import Unreadable, unreadable
from .words import header, kind_of, number, quoted

_FLAGS: Final = (
    "masquerade", "hairpin", "drop_invalid", "forward_filter", "counters", "proxy_ndp",
)  # fmt: skip
_MTUS: Final = (65535, 68)  # the most and the least (RFC 791)
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
    table.number("mtu", *_MTUS)
    table.setting("mac", values.mac, None)
    altnames = table.texts("altnames", values.altname)
    if "altnames" in raw:
        table.settings["altnames"] = altnames.values
    addresses = Addresses(faults)
    if mss := table.scalar("mss_clamp", _mss):
        table.settings["mss_clamp"] = mss.value
    host = table.table("host")
    return RouterDraft(
        path=path,
        name=name,
        uplink=table.text("uplink", values.interface_name),
        addresses=table.array("addresses", addresses, "an array of addresses"),
        address_options=addresses.options,
        altnames=altnames,
        gateways=table.texts("gateways", values.gateway),
        forward=table.array("forward", _Forwards(faults), "an array of forwards"),
        host=None if host is None else _host((*path, "host"), host, faults),
        filter=filter.read((*path, "filter"), table.table("filter") or {}, faults),
        settings=table.settings,
    )


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


def _host(path: Path, raw: dict[str, Any], faults: list[Fault]) -> HostDraft:
    table = Table(raw, path, HOST_KEYS, faults, [(ROUTER_KEYS, header(path[1:3]))])
    interface = table.text("interface", values.interface_name)
    peer = interface
    if "router_interface" in raw:
        peer = table.setting("router_interface", values.interface_name, "")
    table.number("mtu", *_MTUS)
    table.setting("mac", values.mac, None)
    return HostDraft(
        path=path,
        interface=interface,
        peer=peer,
        addresses=table.texts("addresses", values.interface),
        router_addresses=table.texts("router_addresses", values.interface),
        networks=table.texts("networks", values.network),
        link_local=table.setting("link_local", values.link_local, HOST_LINK_LOCAL),
        router_link_local=table.setting("router_link_local", values.link_local, ROUTER_LINK_LOCAL),
        default_route=table.flag("default_route"),
        settings=table.settings,
    )


class _Forwards:
    """Reads an element of `forward`, a string or a table."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def __call__(self, value: object, path: Path) -> Forward | None:
        if isinstance(value, str):
            return forwards.short(value)
        if isinstance(value, dict):
            return self._from_table(value, path)
        message = f"a forward must be a string or a table, not {kind_of(value)}"
        port = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
        hint = f'write "{value}/tcp"' if port else 'write "22/tcp" or { port = 22 }'
        raise unreadable(message, hint)

    def _from_table(self, raw: dict[str, Any], path: Path) -> Forward | None:
        before = len(self._faults)
        table = Table(raw, path, FORWARD_KEYS, self._faults)
        ports = self._ports(table)
        table.setting("protocol", forwards.protocol, "tcp")
        to = table.text("to", forwards.target)
        table.setting("name", values.forward_name, "")
        table.flag("hairpin")
        sources = self._sources(table, raw)
        target, target_port = (None, None) if to is None else to.value
        if ports is not None and to is not None:
            try:
                forwards.range_keeps_ports(ports, target_port)
            except Unreadable as error:
                table.flaws(to.path, error)
        if ports is None or len(self._faults) > before:
            return None
        return Forward(
            ports=ports,
            target=target,
            target_port=target_port,
            sources=sources.values,
            **table.settings,
        )

    def _ports(self, table: Table) -> Ports | None:
        value = table.get("port")
        path = (*table.path, "port")
        try:
            if isinstance(value, int) and not isinstance(value, bool):
                return forwards.port_number(value)
            if isinstance(value, str):
                return _port_range(value)
        except Unreadable as error:
            table.flaws(path, error)
            return None
        if value is not None:
            message = f"`port` must be an integer or a range in a string, not {kind_of(value)}"
            table.fault("port", message, 'write port = 443 or port = "30000-30100"')
        return None

    def _sources(self, table: Table, raw: dict[str, Any]) -> Many[Network]:
        sources = table.texts("from", values.source)
        if raw.get("from") == []:
            hint = "leave it out to let everyone use the forward"
            table.fault("from", "`from` is empty: nobody could use the forward", hint)
        return sources


def _port_range(text: str) -> Ports:
    """A range; a single port is a number, and a string is not one."""
    if "-" in text:
        return forwards.ports(text)
    single = forwards.port(text)
    raise unreadable(f"port {quoted(text)} is a string", f"write port = {single}")
