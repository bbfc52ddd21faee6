"""The elements of `forward`: strings in the short form, and tables with more to say."""

from __future__ import annotations

from typing import Any, Final

from . import forwards, values
from .draft import Many
from .keys import FORWARD_KEYS
from .model import HOST_ITSELF, Address, Forward, Network, Ports, Protocol, Target
from .problems import Fault, Path
from .table import Table
from .values import Unreadable, unreadable
from .words import kind_of, quoted

TCP: Final[tuple[Protocol, ...]] = ("tcp",)


class Forwards:
    """Reads an element of `forward`; the faults that it finds in a table it notes itself."""

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
        ports = ports_of(table)
        table.setting("protocol", forwards.protocols, TCP)
        targets = _targets(table)
        table.setting("name", values.forward_name, "")
        table.setting("balance", forwards.balance, "source")
        table.setting("limit", forwards.limit, None)
        for key in ("hairpin", "enabled", "hide_client", "synproxy"):
            table.flag(key)
        addresses, sources = _addresses(table), sources_of(table, "use the forward")
        for target in targets if ports is not None else ():
            try:
                forwards.one_to_one(ports or (), target.value)
            except Unreadable as error:
                table.flaws(target.path, error)
        if table.flag("nat") is False:
            _without_nat(table, targets)
        elif targets.whole and len(targets.items) < 2 and "balance" in table.settings:
            message = "`balance` is of no use: there is one target"
            table.fault("balance", message, "write several in `to`, or leave it out", on_key=True)
        if ports is None or len(self._faults) > before:
            return None
        return Forward(
            ports=ports,
            targets=targets.values or (HOST_ITSELF,),
            addresses=addresses.values,
            sources=sources.values,
            **table.settings,
        )


def _without_nat(table: Table, targets: Many[Target]) -> None:
    for key in ("address", "balance", "hairpin", "hide_client", "synproxy"):
        if table.get(key) is not None:
            message = f"`{key}` is of no use without NAT"
            table.fault(key, message, "clients ask for the server's own address", on_key=True)
    for target in targets:
        if target.value.ports is not None:
            message = f"port {target.value.ports} cannot take the place of another without NAT"
            table.flaws(target.path, unreadable(message, "leave it out, and write it in `port`"))


def ports_of(table: Table) -> tuple[Ports, ...] | None:
    """One number, a range or a list in a string, or an array of numbers and ranges."""
    if not table.is_array("port"):
        found = table.scalar("port", _some_ports)
        return None if found is None else found.value
    several = table.array("port", lambda value, _: _some_ports(value), "an array of ports")
    if not several.whole:
        return None
    ports = tuple(each for item in several for each in item.value)
    if not ports:
        table.fault("port", "`port` is empty", "write port = 443")
        return None
    try:
        forwards.apart(ports)
    except Unreadable as error:
        table.flaws((*table.path, "port"), error)
        return None
    return ports


def _some_ports(value: object) -> tuple[Ports, ...]:
    if isinstance(value, int) and not isinstance(value, bool):
        return (forwards.port_number(value),)
    if isinstance(value, str):
        return _port_string(value)
    message = f"`port` must be an integer or a range in a string, not {kind_of(value)}"
    raise unreadable(message, 'write port = 443 or port = "30000-30100"')


def _port_string(text: str) -> tuple[Ports, ...]:
    """A range or a list; a single port is a number, and a string is not one."""
    if "-" in text or "," in text:
        return forwards.port_list(text)
    single = forwards.port(text)
    raise unreadable(f"port {quoted(text)} is a string", f"write port = {single}")


def _targets(table: Table) -> Many[Target]:
    found = table.one_or_more("to", forwards.target)
    seen: set[Target] = set()
    for item in found:
        if item.value in seen:
            message = f"target {item.value.text} is given twice"
            table.flaws(item.path, unreadable(message, "leave it out"))
        seen.add(item.value)
    return found


def _addresses(table: Table) -> Many[Address]:
    found = table.one_or_more("address", values.unicast)
    seen: set[Address] = set()
    for item in found:
        if item.value in seen:
            message = f"address {item.value} is given twice"
            table.flaws(item.path, unreadable(message, "leave it out"))
        seen.add(item.value)
    return found


def sources_of(table: Table, what: str) -> Many[Network]:
    """The networks of `from`, which alone may do `what`."""
    sources = table.texts("from", values.source)
    if table.is_array("from") and sources.whole and not sources.items:
        hint = f"leave it out to let everyone {what}"
        table.fault("from", f"`from` is empty: nobody could {what}", hint)
    return sources
