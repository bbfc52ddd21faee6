"""`host` and `inner`: the links behind a router, each a veth pair."""

from __future__ import annotations

from typing import Any

from . import values
from .draft import At, InnerDraft, Many
from .keys import HOST_KEYS, INNER_KEYS, ROUTER_KEYS
from .model import HOST_LINK_LOCAL, ROUTER_LINK_LOCAL
from .problems import Fault, Path
from .table import Table
from .uplinks import MTUS
from .values import Unreadable
from .words import header, kind_of


def read_host(path: Path, raw: dict[str, Any], faults: list[Fault]) -> InnerDraft:
    table = Table(raw, path, HOST_KEYS, faults, [(ROUTER_KEYS, header(path[1:3]))])
    interface = table.text("interface", values.interface_name)
    here: At[str | None] = At(path, None)
    return _link(table, raw, here, interface, interface)


def read_further(router: Table, faults: list[Fault]) -> Many[InnerDraft]:
    """The further links; unless it is written, the router's end is called as its link."""
    raw = router.table("inner")
    path = (*router.path, "inner")
    found = [_further((*path, name), each, faults) for name, each in (raw or {}).items()]
    links = tuple(link for link in found if link is not None)
    return Many(links, whole=None not in found and router.is_table("inner"))


def _further(path: Path, raw: object, faults: list[Fault]) -> At[InnerDraft] | None:
    name = str(path[-1])
    if not isinstance(raw, dict):
        message = f"an inner link must be a table, not {kind_of(raw)}"
        faults.append(Fault(path, message, f"write {header(path[1:])}"))
        return None
    if name == "host":
        message = 'the link of the name "host" has a table of its own'
        faults.append(Fault(path, message, f"write {header((*path[1:3], name))}", on_key=True))
        return None
    table = Table(raw, path, INNER_KEYS, faults, [(ROUTER_KEYS, header(path[1:3]))])
    namespace: At[str | None] | None = table.setting("namespace", values.namespace_name, None)
    if namespace is not None and namespace.value is None:
        table.settings["default_route"] = False  # the host has one way out already
    peer = None
    if "router_interface" not in raw:
        try:
            peer = At(path, values.interface_name(name))
        except Unreadable as error:
            hint = "or write router_interface"
            faults += [Fault(path, f.message, f.hint or hint, on_key=True) for f in error.flaws]
        table.settings["router_interface"] = name
    interface = table.text("interface", values.interface_name)
    return At(path, _link(table, raw, namespace, interface, peer))


def _link(
    table: Table,
    raw: dict[str, Any],
    namespace: At[str | None] | None,
    interface: At[str] | None,
    peer: At[str] | None,
) -> InnerDraft:
    """What all links have in common; `peer` is the router's end unless another is written."""
    if "router_interface" in raw:
        peer = table.setting("router_interface", values.interface_name, "")
    table.number("mtu", *MTUS)
    table.setting("mac", values.mac, None)
    table.number("table", 2**32 - 1, 1)
    flag = table.flag("default_route")
    return InnerDraft(
        path=table.path,
        name=str(table.path[-1]),
        namespace=namespace,
        interface=interface,
        peer=peer,
        addresses=table.texts("addresses", values.interface),
        router_addresses=table.texts("router_addresses", values.interface),
        networks=table.texts("networks", values.network),
        link_local=table.setting("link_local", values.link_local, HOST_LINK_LOCAL),
        router_link_local=table.setting("router_link_local", values.link_local, ROUTER_LINK_LOCAL),
        default_route=flag and table.settings.get("default_route", True),
        settings=table.settings,
    )
