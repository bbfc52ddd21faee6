"""The short form of a forward, `8080/tcp -> 10.42.0.10:80`, and its parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from .model import Address, Forward, Ports, Protocol
from .values import Flaw, Unreadable, unicast, unreadable
from .words import number, quoted

T = TypeVar("T")
Target = tuple[Address | None, int | None]

_DIGITS: Final = re.compile(r"[0-9]+")
_DOCKER: Final = re.compile(r"([0-9]+):([0-9]+)")
_PROTOCOL_FIRST: Final = re.compile(r"(tcp|udp)[/:]([0-9]+(?:-[0-9]+)?)")


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


def protocol(text: str) -> Protocol:
    match text:
        case "tcp" | "udp":
            return text
        case "":
            raise unreadable("the protocol is missing", 'write "tcp" or "udp"')
        case _:
            lower = text.strip().lower()
            hint = f'write "{lower}"' if lower in ("tcp", "udp") else None
            raise unreadable(f"protocol {quoted(text)} is neither tcp nor udp", hint)


def target(text: str) -> Target:
    """`10.42.0.10:80`, `10.42.0.10`, `[fd00::10]:80`, `[fd00::10]` or `:80`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise unreadable(f'target {quoted(text)} lacks the "]"')
        start, colon, digits = 1, rest[:1], rest[1:]
        if rest and colon != ":":
            raise unreadable(f"target {quoted(text)} has {quoted(rest)} after its address")
    else:
        host, colon, digits = text.rpartition(":") if ":" in text else (text, "", "")
        start = 0
        if ":" in host:
            _refuse_bare(text)
    reading = Reading()
    found = reading.part(unicast, host, start) if host or not colon else None
    wanted = reading.part(_target_port, digits, len(text) - len(digits)) if colon else None
    reading.check()
    if text.startswith("[") and found is not None and found.version == 4:
        hint = f'write "{found}{colon}{digits}"'
        raise unreadable("only an IPv6 address stands in brackets", hint)
    return found, wanted


def _refuse_bare(text: str) -> None:
    unicast(text)
    raise unreadable(f"IPv6 target {quoted(text)} has no brackets", f'write "[{text}]"')


def _target_port(text: str) -> int:
    if not text:
        raise unreadable("the target's port is missing", 'leave out the ":" to keep the port')
    if "-" in text:
        hint = "leave it out: a range keeps its ports"
        raise unreadable(f"target port {quoted(text)} is a range", hint)
    return port(text)


def range_keeps_ports(ports: Ports, target_port: int | None) -> None:
    if not ports.single and target_port is not None:
        message = f"a range of ports cannot lead to the one port {target_port}"
        raise unreadable(message, f'leave out ":{target_port}": a range keeps its ports')


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
    numbers, slash, word = head.partition("/")
    if not slash or _PROTOCOL_FIRST.fullmatch(head):
        raise Unreadable(_no_protocol(head, text[len(head) :]))
    reading = Reading()
    found = reading.part(ports, numbers, 0)
    kind = reading.part(protocol, word, len(numbers) + 1)
    to: Target | None = (None, None)
    if arrow:
        to = reading.part(_some_target, tail, len(text) - len(tail))
    reading.check()
    assert found is not None and kind is not None and to is not None
    where, target_port = to
    if target_port is not None and not found.single:
        range_keeps_ports(found, target_port)
    return Forward(found, kind, where, target_port)


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
    if head.replace("-", "", 1).isdecimal():
        return Flaw(message, f'write "{head}/tcp{rest}"', 0, len(head))
    hint = 'a forward is written as "22/tcp" or "8080/tcp -> 10.42.0.10:80"'
    return Flaw(message, hint, 0, len(head))
