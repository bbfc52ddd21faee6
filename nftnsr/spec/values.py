"""The strings of a spec, parsed: addresses, networks, names. Nothing is coerced or guessed."""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from attrs import frozen

from .model import Address, Interface, Network
from .words import family_of, number, quoted

_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_OCTETS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LINK_LOCAL: Final = IPv6Network("fe80::/10")
_BROADCAST: Final = IPv4Address("255.255.255.255")

# The kernel's isspace() counts 0xa0; ":" and "/" it refuses, "%" it takes for a template. nftables
# has no way to write the rest inside quotes, and takes a final "*" for a wildcard.
_NO_INTERFACE: Final = b'\t\n\v\f\r \xa0/:%"*\\'
_RESERVED_INTERFACES: Final = ("all", "default", "lo")
_NAME_BYTES: Final = 64
_ALTNAME_BYTES: Final = 127  # ALTIFNAMSIZ - 1
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
_DURATION: Final = re.compile(r"([0-9]{1,10})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@frozen
class Flaw:
    """What is wrong with a string; `start` and `end` say with which part of it."""

    message: str
    hint: str | None = None
    start: int | None = None
    end: int | None = None

    def moved(self, start: int, end: int) -> Flaw:
        """The same flaw, told of a longer string that has this one at `start` to `end`."""
        first = start if self.start is None else start + self.start
        last = end if self.end is None else start + self.end
        return Flaw(self.message, self.hint, first, last)


class Unreadable(Exception):
    """A string does not hold what its key asks for."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__(*flaws)
        self.flaws = flaws


def unreadable(message: str, hint: str | None = None) -> Unreadable:
    return Unreadable(Flaw(message, hint))


def address(text: str) -> Address:
    """An address without a prefix length."""
    if "%" in text:
        hint = "leave the zone out: the router knows its own links"
        raise unreadable(f"address {quoted(text)} has a zone", hint)
    try:
        return ip_address(text)
    except ValueError:
        raise unreadable(f"{quoted(text)} is not an IP address", _repair(text)) from None


def _repair(text: str) -> str | None:
    if not text:
        return "an address is written as 192.0.2.1 or 2001:db8::1"
    if not _OCTETS.fullmatch(text):
        return None
    octets = text.split(".")
    if len(octets) != 4:
        return f"an IPv4 address has four numbers, not {len(octets)}"
    for octet in octets:
        if len(octet) > 1 and octet.startswith("0"):
            return f"write {octet.lstrip('0') or '0'}, not {octet}: some programs read it as octal"
    return "each of the four numbers is 0 to 255"


def _unusable(found: Address) -> str | None:
    """Why no interface and no server can have this address."""
    if found.is_unspecified:
        return "is the unspecified address"
    if found.is_multicast:
        return "is a multicast address"
    if found.is_loopback:
        return "is a loopback address"
    if found == _BROADCAST:
        return "is the broadcast address"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return "is an IPv4 address in IPv6 form"
    return None


def unicast(text: str) -> Address:
    """An address that a machine can have."""
    found = address(text)
    reason = _unusable(found)
    if reason is not None:
        raise unreadable(f"address {quoted(text)} {reason}")
    return found


def gateway(text: str) -> Address:
    head, slash, _ = text.partition("/")
    if slash:
        address(head)
        message = f"gateway {quoted(text)} has a prefix length"
        raise Unreadable(Flaw(message, f"write {quoted(head)}", len(head), len(text)))
    return unicast(text)


def _prefixed(text: str, what: str) -> tuple[Address, int]:
    head, slash, length = text.partition("/")
    found = address(head)
    if not slash:
        common = (24, 32) if found.version == 4 else (64, 128)
        lengths = " or ".join(f'"{head}/{bits}"' for bits in common)
        raise unreadable(f"{what} {quoted(text)} has no prefix length", f"write {lengths}")
    if _LENGTH.fullmatch(length) and int(length) <= found.max_prefixlen:
        return found, int(length)
    part = len(head) + 1, len(text)
    message = f"prefix length {quoted(length)} is not in 0-{found.max_prefixlen}"
    raise Unreadable(Flaw(message, _netmask(length), *part))


def _netmask(length: str) -> str | None:
    try:
        bits = IPv4Network(f"0.0.0.0/{length}").prefixlen
    except ValueError:
        return None
    return f"write /{bits}" if "." in length or length != str(bits) else None


def interface(text: str) -> Interface:
    """An address with its prefix length, fit to be given to an interface."""
    found, bits = _prefixed(text, "address")
    reason = _unusable(found)
    if reason is not None:
        raise unreadable(f"address {quoted(text)} {reason}")
    if bits == 0:
        raise unreadable(f"address {quoted(text)} has the prefix length 0")
    if isinstance(found, IPv6Address):
        return IPv6Interface((found, bits))
    result = IPv4Interface((found, bits))
    if bits < 31 and found in (result.network.network_address, result.network.broadcast_address):
        first = found == result.network.network_address
        kind = "network" if first else "broadcast"
        usable = result.network.network_address + 1
        hint = f'"{usable}/{bits}" is the first usable one; "{found}/32" stands alone'
        raise unreadable(f"address {quoted(text)} is the {kind} address of its network", hint)
    return result


def _network(text: str) -> Network:
    found, bits = _prefixed(text, "network")
    build = IPv4Network if isinstance(found, IPv4Address) else IPv6Network
    try:
        return build((int(found), bits))
    except ValueError:
        meant = build((int(found), bits), strict=False)
        hint = f'write "{meant}", or "{found}/{found.max_prefixlen}" for the one address'
        raise unreadable(f"network {quoted(text)} has host bits set", hint) from None


def network(text: str) -> Network:
    """A network behind the host."""
    found = _network(text)
    if found.prefixlen == 0:
        hint = "leave it out: what lies behind the host is never everything"
        raise unreadable(f"network {quoted(text)} is a default route", hint)
    if found.is_multicast or found.is_loopback or found.is_link_local:
        raise unreadable(f"network {quoted(text)} cannot be routed")
    return found


def source(text: str) -> Network:
    """A network that a forward is open to."""
    return _network(text)


def network_or_address(text: str) -> Network:
    """A network, or the one address, of a list that others write."""
    return _network(text) if "/" in text else ip_network(address(text))


def link_local(text: str) -> IPv6Address:
    head, slash, _ = text.partition("/")
    if slash:
        raise unreadable(f"address {quoted(text)} has a prefix length", f"write {quoted(head)}")
    found = address(text)
    if isinstance(found, IPv6Address) and found in _LINK_LOCAL:
        return found
    raise unreadable(f"{family_of(found)} address {quoted(text)} is not in fe80::/10")


def interface_name(text: str) -> str:
    encoded = text.encode()
    if not text:
        raise unreadable("an interface name cannot be empty")
    if len(encoded) > 15:
        message = f"interface name {quoted(text)} is longer than 15 bytes"
        raise unreadable(message, f"it has {number(len(encoded))}")
    if text in (".", "..") or text in _RESERVED_INTERFACES:
        raise unreadable(f"{quoted(text)} is not a name that the kernel leaves to interfaces")
    bad = next((c for c in text if not c.isprintable() or _forbidden(c)), None)
    if bad is not None:
        start = text.index(bad)
        message = f"interface name {quoted(text)} contains {quoted(bad)}"
        raise Unreadable(Flaw(message, None, start, start + 1))
    return text


def _forbidden(character: str) -> bool:
    return any(byte in _NO_INTERFACE for byte in character.encode())


def router_name(text: str) -> str:
    """A name that a namespace's file and a command line can bear."""
    return _file_name(text, "router")


def namespace_name(text: str) -> str:
    """The name of a namespace of somebody else's, of the same kind."""
    return _file_name(text, "namespace")


def _file_name(text: str, of: str) -> str:
    if not text:
        raise unreadable(f"a {of}'s name cannot be empty")
    if len(text.encode()) > 255:
        raise unreadable(f"the {of}'s name is longer than 255 bytes")
    if text in (".", ".."):
        raise unreadable(f"{quoted(text)} cannot be a {of}'s name")
    if text.startswith("-"):
        raise unreadable(f'{of} name {quoted(text)} begins with "-"')
    bad = next((c for c in text if c in '/"\\' or c.isspace() or not c.isprintable()), None)
    if bad is not None:
        raise unreadable(f"{of} name {quoted(text)} contains {quoted(bad)}")
    return text


def forward_name(text: str) -> str:
    """A name that fits into a comment of the ruleset."""
    if not text:
        raise unreadable("a forward's name cannot be empty", "leave `name` out")
    if len(text.encode()) > _NAME_BYTES:
        raise unreadable(f"the forward's name is longer than {_NAME_BYTES} bytes")
    bad = next((c for c in text if c in '"\\' or not c.isprintable()), None)
    if bad is not None:
        raise unreadable(f"the forward's name contains {quoted(bad)}")
    return text


def lladdr(text: str) -> str:
    """The MAC address of a neighbour, which may be that of a group (a cluster has such a one)."""
    if not _MAC.fullmatch(text) or not any(c not in "0:" for c in text):
        hint = "a MAC address is written as 02:00:00:00:00:03"
        raise unreadable(f"{quoted(text)} is not a MAC address", hint)
    return text.lower()


def mac(text: str) -> str:
    """A MAC address that one interface can have, in lower case."""
    found = lladdr(text)
    # The first bit on the wire tells groups (IEEE 802, section 8.2).
    if int(found[1], 16) & 1:
        raise unreadable(f"MAC address {quoted(text)} is not that of one interface")
    return found


def altname(text: str) -> str:
    """An alternative name of an interface, which may be longer than its own."""
    if not text:
        raise unreadable("an alternative name cannot be empty")
    if len(text.encode()) > _ALTNAME_BYTES:
        raise unreadable(f"alternative name {quoted(text)} is longer than {_ALTNAME_BYTES} bytes")
    bad = next((c for c in text if not c.isprintable() or _forbidden(c)), None)
    if bad is not None or text in (".", ".."):
        what = f"contains {quoted(bad)}" if bad is not None else "is the name of a directory"
        raise unreadable(f"alternative name {quoted(text)} {what}")
    return text


def duration(text: str) -> int:
    """Seconds of `30s`, `15m`, `2h` or `7d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise unreadable(f"{quoted(text)} is no duration", 'write "90s", "15m", "2h" or "7d"')
    seconds = int(match[1]) * _SECONDS[match[2]]
    # The kernel has 32 bits for it, and all of them set say "for ever".
    if seconds >= 2**32 - 1:
        raise unreadable(f"duration {quoted(text)} is too long", "leave it out: for ever")
    return seconds


def sysctl_words(text: str) -> tuple[str, ...]:
    """The words of `net.ipv4.conf.eth0/100.rp_filter`, or of `net/ipv4/conf/eth0.100/rp_filter`.

    As sysctl(8) has it: whichever of "." and "/" comes first separates, the other one stands for
    it in the name of a link.
    """
    slash = "/" in text and ("." not in text or text.index("/") < text.index("."))
    swapped = text if slash else text.translate(str.maketrans("/.", "./"))
    return tuple(swapped.split("/"))


def sysctl_path(words: tuple[str, ...]) -> str:
    """The path below /proc/sys of a setting that belongs to a network namespace."""
    name = quoted(".".join(word.replace(".", "/") for word in words))
    if any(not w or w in (".", "..") or "/" in w or not w.isprintable() for w in words):
        raise unreadable(f"{name} is no name of a setting", 'write "net.ipv4.tcp_syncookies"')
    if words[0] != "net" or len(words) < 3:
        raise unreadable(f"{name} is no setting of a network namespace", "those begin with net.")
    return "/".join(words)
