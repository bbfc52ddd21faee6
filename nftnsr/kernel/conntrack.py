"""Connection tracking entries of the caller's namespace, over ctnetlink.

The kernel filters a dump by what all the wanted flows have in common (since Linux 5.8), so that
one changed forward costs no look at the entries of all others.
"""

from __future__ import annotations

import errno
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from ipaddress import ip_address
from typing import TypeVar

from attrs import frozen

from nftnsr.kernel import netlink
from nftnsr.kernel.netlink import NETLINK_NETFILTER, attribute, attributes, nested
from nftnsr.state.flows import Connection, Flows
from nftnsr.state.model import Address_

_GET, _DELETE = (1 << 8) | 1, (1 << 8) | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_*
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ID, _CTA_FILTER = 1, 2, 12, 25
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_ADDRESSES = {4: (1, 2), 6: (3, 4)}  # CTA_IP_V4_SRC, _DST; CTA_IP_V6_SRC, _DST
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
# The bits of CTA_FILTER_ORIG_FLAGS say which parts of CTA_TUPLE_ORIG count.
_BY_DESTINATION, _BY_PROTOCOL, _BY_PORT = 1 << 1, 1 << 3, 1 << 5
_FAMILY = {4: 2, 6: 10}
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_NAMES = {number: name for name, number in _NUMBERS.items()}

T = TypeVar("T")
U = TypeVar("U")


@frozen
class Tuple:
    """One direction of a flow, as the entry's first packet, or the answer to it, shows it."""

    protocol: str
    source: Address_
    source_port: int
    destination: Address_
    port: int


@frozen
class Entry:
    """An entry: what its packets look like when they arrive, either way."""

    original: Tuple
    reply: Tuple
    handle: bytes
    """Its original tuple and number, with which the kernel finds this very entry again."""

    @property
    def translated(self) -> bool:
        """Whether the destination is another than the first packet's."""
        return (self.reply.source, self.reply.source_port) != (
            self.original.destination,
            self.original.port,
        )


def entries(version: int, flows: Collection[Flows] = ()) -> Iterator[Entry]:
    """The TCP, UDP and SCTP entries of a family, those at least that may be among `flows`."""
    request = _head(version) + _filter(version, flows)
    for body in netlink.dump(NETLINK_NETFILTER, _GET, request, "cannot list conntrack entries"):
        if entry := _entry(body, version):
            yield entry


def forwarded(version: int) -> Counter[tuple[str, int]]:
    """How many flows of a family there are to each protocol and public port that is translated."""
    found = (e.original for e in entries(version) if e.translated)
    return Counter((packet.protocol, packet.port) for packet in found)


def forget(flows: Collection[Flows], kept: Collection[Flows]) -> int:
    """Delete the entries of `flows`, but not those that are translated as `kept` says.

    Returns how many were deleted; an entry that ended meanwhile is as wanted.
    """
    requests = [_delete(c.local.version, _packet(c)) for f in flows if (c := f.connection)]
    wide = [f for f in flows if f.connection is None]
    stale, right = _Index(wide), _Index(kept)
    for version in _versions(wide):
        for entry in entries(version, wide):
            concerned = any(_looks(entry.original, f) for f in stale.near(entry.original))
            if concerned and not _as_wanted(entry, right):
                requests.append(_delete(version, entry.handle))
    gone = frozenset({errno.ENOENT})
    return netlink.perform(NETLINK_NETFILTER, requests, gone, "cannot delete conntrack entries")


def public_end(connection: Connection) -> tuple[Address_, int] | None:
    """What the far end of a connection talks to, if this namespace translates it."""
    version = connection.local.version
    request = _head(version) + _packet(connection)
    answer = netlink.ask(NETLINK_NETFILTER, _GET, request, errno.ENOENT, "cannot ask conntrack")
    entry = None if answer is None else _entry(answer, version)
    if entry is None:
        return None
    inside = (entry.original.source, entry.original.source_port)
    began = inside == (connection.local, connection.local_port)
    outside = entry.reply if began else entry.original
    return outside.destination, outside.port


def _delete(version: int, which: bytes) -> bytes:
    return netlink.message(_DELETE, netlink.REQUEST | netlink.ACK, _head(version) + which)


def _head(version: int) -> bytes:
    return struct.pack("!BBH", _FAMILY[version], 0, 0)


def _packet(connection: Connection) -> bytes:
    """What a connection's own end sends: the kernel finds an entry by either of its directions."""
    proto = [
        attribute(_PROTO_NUM, bytes([_NUMBERS[connection.protocol]])),
        attribute(_PROTO_SRC_PORT, struct.pack("!H", connection.local_port)),
        attribute(_PROTO_DST_PORT, struct.pack("!H", connection.remote_port)),
    ]
    ends = zip(
        _ADDRESSES[connection.local.version], (connection.local, connection.remote), strict=True
    )
    addresses = [attribute(kind, address.packed) for kind, address in ends]
    return nested(
        _CTA_TUPLE_ORIG, nested(_CTA_TUPLE_IP, *addresses), nested(_CTA_TUPLE_PROTO, *proto)
    )


def _as_wanted(entry: Entry, right: _Index) -> bool:
    if not entry.translated:
        return False
    target = (entry.reply.source, entry.reply.source_port)
    return any(
        _looks(entry.original, f) and target == (f.target, f.target_port or entry.original.port)
        for f in right.near(entry.original)
    )


def _looks(packet: Tuple, flows: Flows) -> bool:
    return (
        flows.protocol in (None, packet.protocol)
        and (flows.ports is None or flows.ports[0] <= packet.port <= flows.ports[1])
        and (not flows.destinations or packet.destination in flows.destinations)
        and (flows.source is None or packet.source in flows.source)
        and (flows.into is None or packet.destination in flows.into)
    )


class _Index:
    """Flows, found by port where they have a single one."""

    def __init__(self, flows: Iterable[Flows]) -> None:
        self._by_port: dict[int, list[Flows]] = {}
        self._wide: list[Flows] = []
        for each in flows:
            if each.ports is not None and each.ports[0] == each.ports[1]:
                self._by_port.setdefault(each.ports[0], []).append(each)
            else:
                self._wide.append(each)

    def near(self, packet: Tuple) -> Iterator[Flows]:
        """Those that can be meant by a packet to this port."""
        yield from self._by_port.get(packet.port, ())
        yield from self._wide


def _versions(flows: Collection[Flows]) -> tuple[int, ...]:
    named = {a.version for f in flows for a in f.destinations}
    named |= {n.version for f in flows for n in (f.source, f.into) if n is not None}
    return tuple(v for v in (4, 6) if v in named)


def _filter(version: int, flows: Collection[Flows]) -> bytes:
    """The attributes that let the kernel leave out what none of `flows` can be."""
    protocol = _common(flows, lambda f: f.protocol)
    ports = _common(flows, lambda f: f.ports)
    # Flows to no address of this family are none of its; those to any address have no filter.
    here = [f for f in flows if not f.destinations or _of(version, f)]
    destination = _common(here, lambda f: _of(version, f) or None)
    flags, parts = 0, []
    if destination is not None and len(destination) == 1:
        flags |= _BY_DESTINATION
        address = attribute(_ADDRESSES[version][1], destination[0].packed)
        parts.append(nested(_CTA_TUPLE_IP, address))
    if protocol is not None:
        flags |= _BY_PROTOCOL
        proto = [attribute(_PROTO_NUM, bytes([_NUMBERS[protocol]]))]
        if ports is not None and ports[0] == ports[1]:
            flags |= _BY_PORT
            proto.append(attribute(_PROTO_DST_PORT, struct.pack("!H", ports[0])))
        parts.append(nested(_CTA_TUPLE_PROTO, *proto))
    if not flags:
        return b""
    which = attribute(1, struct.pack("=L", flags))  # CTA_FILTER_ORIG_FLAGS
    return nested(_CTA_TUPLE_ORIG, *parts) + nested(_CTA_FILTER, which)


def _of(version: int, flows: Flows) -> tuple[Address_, ...]:
    return tuple(a for a in flows.destinations if a.version == version)


def _common(values: Iterable[T], of: Callable[[T], U | None]) -> U | None:
    """What `of` says of every one of `values`, or None where it says different things."""
    found = {of(v) for v in values}
    return found.pop() if len(found) == 1 else None


def _entry(body: bytes, version: int) -> Entry | None:
    found = attributes(body, 4)
    original, reply = found[_CTA_TUPLE_ORIG], found[_CTA_TUPLE_REPLY]
    there, back = _tuple(original, version), _tuple(reply, version)
    if there is None or back is None:
        return None
    handle = nested(_CTA_TUPLE_ORIG, original) + attribute(_CTA_ID, found[_CTA_ID])
    return Entry(there, back, handle)


def _tuple(data: bytes, version: int) -> Tuple | None:
    parts = attributes(data)
    addresses, proto = attributes(parts[_CTA_TUPLE_IP]), attributes(parts[_CTA_TUPLE_PROTO])
    name = _NAMES.get(proto[_PROTO_NUM][0])
    if name is None:
        return None
    source, destination = (ip_address(addresses[a]) for a in _ADDRESSES[version])
    return Tuple(
        name, source, _port(proto, _PROTO_SRC_PORT), destination, _port(proto, _PROTO_DST_PORT)
    )


def _port(proto: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(proto[kind], "big")
