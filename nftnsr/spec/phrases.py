"""Routes, rules and neighbours in the words of ip(8): `10.9.0.0/16 via 192.0.2.9 metric 5`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from attrs import frozen

from . import values
from .forwards import Reading
from .model import Network, RouteType, RoutingRule, StaticNeighbour, StaticRoute
from .values import unreadable
from .words import family, number, quoted

Parse = Callable[[str], Any]

_WORD: Final = re.compile(r"\S+")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}|0x[0-9A-Fa-f]{1,8}")
_LAST: Final = 2**32 - 1
_TABLES: Final = {"main": 254, "default": 253}
_LOCAL: Final = 255
_TYPES: Final[tuple[RouteType, ...]] = ("unicast", "blackhole", "unreachable", "prohibit")


@frozen
class Word:
    """One word of a phrase, and where in it."""

    text: str
    start: int


def route(text: str) -> StaticRoute:
    """`[TYPE] DESTINATION [via ADDRESS] [dev LINK] [metric N] [table N] [src ADDRESS] [mtu N]`."""
    words = _words(text)
    kind: RouteType = "unicast"
    if words and words[0].text in _TYPES:
        kind = route_type(words.pop(0).text)
    if not words:
        hint = 'a route is written as "10.9.0.0/16 via 192.0.2.9"'
        raise unreadable("the route has no destination", hint)
    reading = Reading()
    first = words.pop(0)
    goal = reading.part(destination, first.text, first.start)
    said = _pairs(words, _ROUTE, "a route", reading)
    reading.check()
    return made_route(goal, **{"type": kind, **said})


def made_route(goal: Network | None, **said: Any) -> StaticRoute:
    """A route of what was said of it; `goal` is None for `default`, of whatever family."""
    via, source, kind = said.get("via"), said.get("source"), said.get("type", "unicast")
    if goal is None:
        version = next((a.version for a in (via, source) if a is not None), None)
        if version is None:
            hint = 'write "0.0.0.0/0" or "::/0"'
            raise unreadable("nothing says of which family this default route is", hint)
        goal = IPv4Network("0.0.0.0/0") if version == 4 else IPv6Network("::/0")
    for what, address in (("next hop", via), ("source", source)):
        if address is not None and address.version != goal.version:
            kinds = f"{family(goal.version)} route has an {family(address.version)} {what}"
            raise unreadable(f"the {kinds}, {address}")
    if kind == "unicast" and via is None and said.get("dev") is None:
        raise unreadable(f"the route to {goal} leads nowhere", "add via ADDRESS, or dev LINK")
    useless = [w for w in ("via", "dev", "mtu", "source") if said.get(w) is not None]
    if kind != "unicast" and useless:
        raise unreadable(f"a route of the type {kind} leads nowhere", f"leave out {useless[0]}")
    return StaticRoute(goal, **said)


def rule(text: str) -> RoutingRule:
    """`[from NETWORK] [to NETWORK] [fwmark N[/MASK]] [iif LINK] [oif LINK] [priority N] ACTION`.

    The action is `lookup TABLE`, or the type of a route that leads nowhere.
    """
    words = _words(text)
    actions = [w for w in words if w.text in _TYPES[1:]]
    reading = Reading()
    said = _pairs((w for w in words if w not in actions), _RULE, "a rule", reading)
    reading.check()
    if len(actions) + ("table" in said) != 1:
        fact = "says nothing that is to be done" if not actions else "says two things to be done"
        raise unreadable(f"the rule {fact}", "end it in lookup TABLE, blackhole or unreachable")
    source, goal = said.get("source"), said.get("destination")
    if source is not None and goal is not None and source.version != goal.version:
        raise unreadable("the rule's networks are of two address families")
    kind = route_type(actions[0].text) if actions else "unicast"
    return RoutingRule(type=kind, **said)


def neighbour(text: str) -> StaticNeighbour:
    """`ADDRESS lladdr MAC [dev LINK]`."""
    words = _words(text)
    if not words:
        hint = 'write "192.0.2.77 lladdr 02:00:00:00:00:77"'
        raise unreadable("the neighbour has no address", hint)
    reading = Reading()
    first = words.pop(0)
    address = reading.part(values.unicast, first.text, first.start)
    said = _pairs(words, _NEIGHBOUR, "a neighbour", reading)
    reading.check()
    if "mac" not in said:
        raise unreadable("the neighbour has no MAC address", "add lladdr 02:00:00:00:00:77")
    assert address is not None
    return StaticNeighbour(address, **said)


def route_type(text: str) -> RouteType:
    for kind in _TYPES:
        if text == kind:
            return kind
    raise unreadable(f"{quoted(text)} is no type of route", f"the types are {', '.join(_TYPES)}")


def destination(text: str) -> Network | None:
    """A network, one address, or `default`: None, since that is of either family."""
    if text == "default":
        return None
    if "/" not in text:
        return ip_network(values.unicast(text))
    found = values.source(text)
    if found.is_multicast or found.is_loopback or found.is_link_local:
        raise unreadable(f"network {quoted(text)} cannot be routed")
    return found


def table(text: str) -> int:
    return routing_table(_TABLES[text] if text in _TABLES else _integer(text, "table", 1))


def routing_table(value: int) -> int:
    """The number of a routing table that is not the kernel's own."""
    if not 1 <= value <= _LAST:
        raise unreadable(f"table {number(value)} is not in 1-{_LAST}")
    if value == _LOCAL:
        raise unreadable(f"table {_LOCAL} (local) is the kernel's own", "take a number of your own")
    return value


def _words(text: str) -> list[Word]:
    return [Word(match[0], match.start()) for match in _WORD.finditer(text)]


def _pairs(
    words: Iterable[Word], known: Mapping[str, tuple[str, Parse]], what: str, reading: Reading
) -> dict[str, Any]:
    """`via 192.0.2.9 metric 5` as what the model calls it, every flaw noted in `reading`."""
    said: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        field, parse = known.get(word.text, ("", None))
        value = next(left, None)  # of an unknown word, too, which is told once
        if parse is None:
            hint = f"the words of {what} are {', '.join(known)}"
            parse, value = _refusal(f"{quoted(word.text)} is no word of {what}", hint), word
        elif field in said:
            parse, value = _refusal(f"{quoted(word.text)} is said twice"), word
        elif value is None:
            parse, value = _refusal(f"nothing follows {quoted(word.text)}"), word
        said[field] = reading.part(parse, value.text, value.start)
    return said


def _refusal(message: str, hint: str | None = None) -> Parse:
    def refuse(_: str) -> Any:
        raise unreadable(message, hint)

    return refuse


def _integer(text: str, what: str, first: int = 0, last: int = _LAST) -> int:
    if not _NUMBER.fullmatch(text):
        raise unreadable(f"{what} {quoted(text)} is not a number")
    value = int(text, 0)
    if not first <= value <= last:
        raise unreadable(f"{what} {text} is not in {first}-{last}")
    return value


def _mark(text: str) -> tuple[int, int]:
    """`0x1`, or `0x100/0xff00`: the mark, and the bits of it that are looked at."""
    mark, slash, mask = text.partition("/")
    bits = _integer(mask, "mask", 1) if slash else _LAST
    value = _integer(mark, "mark")
    if value & ~bits:
        raise unreadable(f"mark {quoted(text)} has bits outside its mask: it never matches")
    return value, bits


def _network(text: str) -> Network | None:
    if text in ("all", "default"):
        raise unreadable(f"{quoted(text)} says nothing here", "leave it out")
    return destination(text)


_ROUTE: Final[dict[str, tuple[str, Parse]]] = {
    "via": ("via", values.gateway),
    "dev": ("dev", values.interface_name),
    "metric": ("metric", lambda text: _integer(text, "metric", 0, 2**31 - 1)),
    "table": ("table", table),
    "src": ("source", values.unicast),
    "mtu": ("mtu", lambda text: _integer(text, "mtu", 68, 65535)),
}
_RULE: Final[dict[str, tuple[str, Parse]]] = {
    "from": ("source", _network),
    "to": ("destination", _network),
    "fwmark": ("mark", _mark),
    "iif": ("iif", values.interface_name),
    "oif": ("oif", values.interface_name),
    "priority": ("priority", lambda text: _integer(text, "priority", 1)),
    "lookup": ("table", table),
}
_NEIGHBOUR: Final[dict[str, tuple[str, Parse]]] = {
    "lladdr": ("mac", values.lladdr),
    "dev": ("dev", values.interface_name),
}
