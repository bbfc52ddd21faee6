"""The short form of a forward, `1.2.3.4:8080/tcp -> 10.42.0.10:80`, and its parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeVar, get_args

from .model import HOST_ITSELF, Address, Balance, Forward, Limit, Ports, Protocol, Rate, Target
from .values import Flaw, Unreadable, unicast, unreadable
from .words import number, quoted

T = TypeVar("T")

_PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
_LIMIT: Final = re.compile(
    r"([1-9][0-9]{0,5})/(second|minute|hour|day)(?: burst ([1-9][0-9]{0,5}))?"
)
_DIGITS: Final = re.compile(r"[0-9]+")
_DOCKER: Final = re.compile(r"([0-9]+):([0-9]+)")
_PROTOCOL_FIRST: Final = re.compile(r"(tcp|udp|sctp)[/:]([0-9]+(?:-[0-9]+)?)")
_NO_PROTOCOL: Final = re.compile(r"((?:\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?[0-9]+([-,][0-9]+)*")


def port(text: str) -> int:
    if not text:
        raise unreadable("a port is missing")
    if not _DIGITS.fullmatch(text):
        raise unreadable(f"{quoted(text)} is not a port number")
    if len(text) > 1 and text.startswith("0"):
        repaired = text.lstrip("0") or "0"
        raise unreadable(f"port {quoted(text)} begins with 0", f"write {repaired}")
    if len(text) > 5 or not 1 <= int(text) <= 65535:
        raise unreadable(f"port {text if len(text) < 20 else 'of this size'} is not in 1-65535")
    return int(text)


def port_number(value: int) -> Ports:
    if not 1 <= value <= 65535:
        raise unreadable(f"port {number(value)} is not in 1-65535")
    return Ports(value, value)


def ports(text: str) -> Ports:
    """`22` or `30000-30100`."""
    first, dash, last = text.partition("-")
    if not dash:
        single = port(text)
        return Ports(single, single)
    reading = Reading()
    low = reading.part(port, first, 0)
    high = reading.part(port, last, len(first) + 1)
    reading.check()
    assert low is not None and high is not None
    if low > high:
        hint = f'write "{high}-{low}"'
        raise unreadable(f"port range {quoted(text)} runs backwards", hint)
    return Ports(low, high)


def port_list(text: str) -> tuple[Ports, ...]:
    """`80`, `80,443` or `80,8000-8010`."""
    reading = Reading()
    found = []
    start = 0
    for word in text.split(","):
        found.append(reading.part(ports, word, start))
        start += len(word) + 1
    reading.check()
    result = tuple(each for each in found if each is not None)
    apart(result)
    return result


def apart(ports: tuple[Ports, ...]) -> None:
    """Refuse a list that names a port twice."""
    ordered = sorted(ports, key=lambda each: each.first)
    for lower, upper in pairwise(ordered):
        if upper.first <= lower.last:
            same = lower == upper
            what = f"port {upper} is given twice" if same else f"port {upper} overlaps {lower}"
            raise unreadable(what, "name each port once")


def protocols(text: str) -> tuple[Protocol, ...]:
    """`tcp`, or several of them as `tcp+udp`."""
    reading = Reading()
    found: list[Protocol] = []
    start = 0
    for word in text.split("+"):
        kind = reading.part(_protocol, word, start)
        if kind in found:
            raise unreadable(f"protocol {kind} is given twice")
        found += [] if kind is None else [kind]
        start += len(word) + 1
    reading.check()
    return tuple(found)


def _protocol(text: str) -> Protocol:
    for known in _PROTOCOLS:
        if text == known:
            return known
    if not text:
        raise unreadable("the protocol is missing", 'write "tcp", "udp", "sctp" or "tcp+udp"')
    lower = text.strip().lower()
    hint = f'write "{lower}"' if lower in _PROTOCOLS else None
    raise unreadable(f"protocol {quoted(text)} is none of tcp, udp and sctp", hint)


def target(text: str) -> Target:
    """`10.42.0.10:80`, `10.42.0.10`, `[fd00::10]:80`, `[fd00::10]`, `:80` or `:9000-9010`."""
    host, colon, digits = _endpoint(text, "target")
    start = 1 if text.startswith("[") else 0
    reading = Reading()
    found = reading.part(unicast, host, start) if host or not colon else None
    wanted = reading.part(_target_ports, digits, len(text) - len(digits)) if colon else None
    reading.check()
    _no_brackets(text, found, f"{colon}{digits}")
    return Target(found, wanted)


def _endpoint(text: str, what: str) -> tuple[str, str, str]:
    """The address, the ":" and what follows it, of which the last two may be empty."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise unreadable(f'{what} {quoted(text)} lacks the "]"')
        if rest and not rest.startswith(":"):
            raise unreadable(f"{what} {quoted(text)} has {quoted(rest)} after its address")
        return host, rest[:1], rest[1:]
    host, colon, digits = text.rpartition(":") if ":" in text else (text, "", "")
    if ":" in host:
        whole = what == "target"
        unicast(text if whole else host)
        hint = f'write "[{text}]"' if whole else f'write "[{host}]:{digits}"'
        raise unreadable(f"IPv6 {what} {quoted(text)} has no brackets", hint)
    return host, colon, digits


def _no_brackets(text: str, found: Address | None, rest: str) -> None:
    if text.startswith("[") and found is not None and found.version == 4:
        raise unreadable("only an IPv6 address stands in brackets", f'write "{found}{rest}"')


def _target_ports(text: str) -> Ports:
    if not text:
        raise unreadable("the target's port is missing", 'leave out the ":" to keep the port')
    return ports(text)


def one_to_one(ports: tuple[Ports, ...], target: Target) -> None:
    """Refuse a target whose ports are not as many as those that lead to it."""
    to = target.ports
    if to is None or (len(ports) == 1 and ports[0].count == to.count):
        return
    if len(ports) > 1:
        message = f"a list of ports cannot lead to {_named(to)}"
        raise unreadable(message, f'leave out ":{to}": a list keeps its ports')
    keep = "to keep the ports" if ports[0].count > 1 else "to keep the port"
    message = f"{_named(ports[0])} cannot lead to {_named(to)}"
    last = to.first + ports[0].count - 1
    fitting = Ports(to.first, last) if last <= 65535 else None
    hint = f'leave out ":{to}" {keep}'
    raise unreadable(message, hint if fitting is None else f'write ":{fitting}", or {hint}')


def _named(ports: Ports) -> str:
    return f"the one port {ports}" if ports.single else f"the {ports.count} ports {ports}"


def balance(text: str) -> Balance:
    match text:
        case "source" | "round-robin":
            return text
        case _:
            raise unreadable(f'balance {quoted(text)} is neither "source" nor "round-robin"')


def limit(text: str) -> Limit:
    """`20/minute` or `20/minute burst 5`."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        hint = 'write "20/minute" or "20/minute burst 5"; the units are second, minute, hour, day'
        raise unreadable(f"{quoted(text)} is no limit", hint)
    rate = Rate(int(found[1]), found[2])  # type: ignore[arg-type]
    return Limit(rate) if found[3] is None else Limit(rate, int(found[3]))


class Reading:
    """Reads the parts of one string, so that every flaw in it is told, not only the first."""

    def __init__(self) -> None:
        self._flaws: list[Flaw] = []

    def part(self, parse: Callable[[str], T], text: str, start: int) -> T | None:
        try:
            return parse(text)
        except Unreadable as error:
            self._flaws += [flaw.moved(start, start + len(text)) for flaw in error.flaws]
            return None

    def check(self) -> None:
        if self._flaws:
            raise Unreadable(*self._flaws)


def short(text: str) -> Forward:
    """A forward in its short form; `Forward.text` is the inverse."""
    head, arrow, tail = text.partition("->")
    if arrow:
        head, tail = head.rstrip(" \t"), tail.lstrip(" \t")
    public, slash, word = head.partition("/")
    if not slash or _PROTOCOL_FIRST.fullmatch(head):
        raise Unreadable(_no_protocol(head, text[len(head) :]))
    if docker := _DOCKER.fullmatch(public):
        hint = f'write "{docker[1]}/{word} -> :{docker[2]}"'
        raise Unreadable(Flaw(f"{quoted(public)} is no port", hint, 0, len(public)))
    reading = Reading()
    where = reading.part(_public, public, 0)
    kinds = reading.part(protocols, word, len(public) + 1)
    to: Target | None = HOST_ITSELF
    if arrow:
        to = reading.part(_some_target, tail, len(text) - len(tail))
    reading.check()
    assert where is not None and kinds is not None and to is not None
    addresses, found = where
    one_to_one(found, to)
    return Forward(found, kinds, (to,), addresses)


def _public(text: str) -> tuple[tuple[Address, ...], tuple[Ports, ...]]:
    """`443`, `1.2.3.4:443` or `[2001:db8::1]:443`."""
    if ":" not in text:
        return (), port_list(text)
    host, _, numbers = _endpoint(text, "address")
    if text.startswith(":"):
        raise Unreadable(Flaw('there is no address before the ":"', "leave it out", 0, 1))
    reading = Reading()
    address = reading.part(unicast, host, 1 if text.startswith("[") else 0)
    found = reading.part(port_list, numbers, len(text) - len(numbers))
    reading.check()
    assert address is not None and found is not None
    _no_brackets(text, address, f":{numbers}")
    return (address,), found


def _some_target(text: str) -> Target:
    if not text:
        raise unreadable('nothing follows the "->"', 'write "-> 10.42.0.10:80" or "-> :80"')
    return target(text)


def _no_protocol(head: str, rest: str) -> Flaw:
    message = f"{quoted(head)} has no protocol"
    if match := _PROTOCOL_FIRST.fullmatch(head):
        return Flaw(message, f'write "{match[2]}/{match[1]}{rest}"', 0, len(head))
    if match := _DOCKER.fullmatch(head):
        return Flaw(message, f'write "{match[1]}/tcp -> :{match[2]}"', 0, len(head))
    if _NO_PROTOCOL.fullmatch(head):
        return Flaw(message, f'write "{head}/tcp{rest}"', 0, len(head))
    hint = 'a forward is written as "22/tcp" or "8080/tcp -> 10.42.0.10:80"'
    return Flaw(message, hint, 0, len(head))
