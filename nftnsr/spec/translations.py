"""Translations of whole addresses: `1.2.3.5 <-> 10.42.0.10`, `10.42.0.0/24 -> 1.2.3.5-1.2.3.9`."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

from . import values
from .forwards import Reading
from .keys import SNAT_KEYS
from .model import Address, Helper, Network, OneToOne, PrefixPair, SourceNat, SourcePorts
from .problems import Fault, Path
from .table import Table
from .values import Flaw, Unreadable, unreadable
from .words import family_of, kind_of, quoted

Pool = tuple[Address, Address]


def one_to_one(text: str) -> OneToOne:
    left, right, start = _sides(text, "<->", '"198.51.100.5 <-> 10.42.0.10"')
    reading = Reading()
    public = reading.part(values.unicast, left, 0)
    inner = reading.part(values.unicast, right, start)
    reading.check()
    assert public is not None and inner is not None
    _same_family(public, inner)
    return OneToOne(public, inner)


def prefixes(text: str) -> PrefixPair:
    left, right, start = _sides(text, "<->", '"2001:db8:7::/48 <-> fd00:1::/48"')
    reading = Reading()
    public = reading.part(_prefix, left, 0)
    inner = reading.part(_prefix, right, start)
    reading.check()
    assert public is not None and inner is not None
    if public.prefixlen != inner.prefixlen:
        message = f"the prefixes have different lengths, /{public.prefixlen} and /{inner.prefixlen}"
        raise unreadable(message, "what is behind a prefix must have room behind the other")
    return PrefixPair(public, inner)


def source_nat(text: str) -> SourceNat:
    left, right, start = _sides(text, "->", '"10.42.0.0/24 -> 192.0.2.11"')
    reading = Reading()
    network = reading.part(values.network, left, 0)
    found = reading.part(pool, right, start)
    reading.check()
    assert network is not None and found is not None
    _same_family(network, found[0])
    return SourceNat(network, *found)


def pool(text: str) -> Pool:
    """`192.0.2.11` or `192.0.2.11-192.0.2.19`."""
    low, dash, high = text.partition("-")
    reading = Reading()
    first = reading.part(values.unicast, low, 0)
    last = reading.part(values.unicast, high, len(low) + 1) if dash else first
    reading.check()
    assert first is not None and last is not None
    _same_family(first, last)
    if int(last) < int(first):
        hint = f'write "{last}-{first}"'
        raise unreadable(f"address range {quoted(text)} runs backwards", hint)
    return first, last


def source_ports(text: str) -> SourcePorts:
    match text:
        case "preserve" | "random" | "fully-random":
            return text
        case _:
            raise unreadable(
                f"source_ports {quoted(text)} is none of preserve, random and fully-random"
            )


def helper(text: str) -> Helper:
    match text:
        case "ftp" | "sip" | "tftp":
            return text
        case _:
            raise unreadable(f"helper {quoted(text)} is none of ftp, sip and tftp")


class SourceNats:
    """Reads an element of `snat`, a string or a table."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def __call__(self, value: object, path: Path) -> SourceNat | None:
        if isinstance(value, str):
            return source_nat(value)
        if isinstance(value, dict):
            return self._from_table(value, path)
        message = f"an element of `snat` must be a string or a table, not {kind_of(value)}"
        raise unreadable(message, 'write "10.42.0.0/24 -> 192.0.2.11"')

    def _from_table(self, raw: dict[str, Any], path: Path) -> SourceNat | None:
        before = len(self._faults)
        table = Table(raw, path, SNAT_KEYS, self._faults)
        network = table.text("from", values.network)
        found = table.text("to", pool)
        table.flag("persistent")
        if network is None or found is None or len(self._faults) > before:
            return None
        _same_family(network.value, found.value[0])
        return SourceNat(network.value, *found.value, **table.settings)


def _sides(text: str, arrow: str, example: str) -> tuple[str, str, int]:
    """What stands on either side of the arrow, and where the right one begins."""
    left, found, right = text.partition(arrow)
    if not found:
        raise unreadable(f'{quoted(text)} has no "{arrow}"', f"write {example}")
    tail = right.lstrip(" \t")
    for side, place in ((left.strip(" \t"), "before"), (tail, "behind")):
        if not side:
            raise unreadable(f'nothing stands {place} the "{arrow}"', f"write {example}")
    return left.rstrip(" \t"), tail, len(text) - len(tail)


def _prefix(text: str) -> IPv6Network:
    found = values.network(text)
    if isinstance(found, IPv6Network):
        return found
    raise unreadable(f"{quoted(text)} is not an IPv6 prefix", "IPv4 has `one_to_one` and `snat`")


def _same_family(one: Address | Network, other: Address) -> None:
    if one.version != other.version:
        message = f"{one} is {family_of(one)}, and {other} is {family_of(other)}"
        raise Unreadable(Flaw(message, "both sides are of one family"))
