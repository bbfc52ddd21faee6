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
from nftnsr.kernel.matching import Index, Tuple, looks
from nftnsr.kernel.netlink import NETLINK_NETFILTER, attribute, attributes, nested
from nftnsr.state.flows import Connection, Flows
from nftnsr.state.model import Address_

_NEW, _GET, _DELETE = (1 << 8) | 0, (1 << 8) | 1, (1 << 8) | 2  # NFNL_SUBSYS_CTNETLINK
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ID, _CTA_FILTER = 1, 2, 12, 25
_CTA_PROTOINFO, _CTA_TIMEOUT, _CTA_NAT_DST = 4, 7, 13
_NAT_ADDRESSES = {4: (1, 2), 6: (4, 5)}  # CTA_NAT_V4_MINIP, _MAXIP; CTA_NAT_V6_MINIP, _MAXIP
_NAT_PROTO, _ESTABLISHED = 3, b"\3"  # CTA_NAT_PROTO, TCP_CONNTRACK_ESTABLISHED
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_ADDRESSES = {4: (1, 2), 6: (3, 4)}  # CTA_IP_V4_SRC, _DST; CTA_IP_V6_SRC, _DST
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
# The bits of CTA_FILTER_ORIG_FLAGS say which parts of CTA_TUPLE_ORIG count.
_BY_DESTINATION, _BY_PROTOCOL, _BY_PORT = 1 << 1, 1 << 3, 1 << 5
_FAMILY = {4: 2, 6: 10}
_TRIES = 10
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_NAMES = {number: name for name, number in _NUMBERS.items()}

T = TypeVar("T")
U = TypeVar("U")


@frozen
class Entry:
    """An entry: what its packets look like when they arrive, either way."""

    original: Tuple
    reply: Tuple
    handle: bytes
    """Its original tuple and number, with which the kernel finds this very entry again."""
    timeout: int
    """Seconds that it lasts without a packet."""

    @property
    def translated(self) -> bool:
        """Whether the destination is another than the first packet's."""
        return (self.reply.source, self.reply.source_port) != (
            self.original.destination,
            self.original.port,
        )

    def looks(self, flows: Flows) -> bool:
        return looks(self.reply if flows.answers else self.original, flows)

    @property
    def reversible(self) -> bool:
        """Whether its server could make a flow of its own out of it, once it is gone.

        That takes a server that sees its client, by the very port to which the client talks.
        """
        same = self.reply.source_port == self.original.port
        seen = (self.reply.destination, self.reply.port)
        sees = seen == (self.original.source, self.original.source_port)
        return self.translated and same and sees and self.original.protocol != "sctp"


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
    occupied: list[tuple[Entry, bytes]] = []
    wide = [f for f in flows if f.connection is None]
    stale, right = Index(wide), Index(kept)
    for version in _versions(wide):
        for entry in entries(version, wide):
            concerned = [f for f in stale.near(entry.original) if entry.looks(f)]
            if not concerned or _as_wanted(entry, right):
                continue
            if entry.reversible and any(f.protocol for f in concerned):
                occupied.append((entry, _decided(entry, right)))
            else:
                requests.append(_delete(version, entry.handle))
    gone = frozenset({errno.ENOENT})
    what = "cannot delete conntrack entries"
    return netlink.perform(NETLINK_NETFILTER, requests, gone, what) + _occupy(occupied)


def _occupy(entries: Collection[tuple[Entry, bytes]]) -> int:
    """Delete entries, and put what the new rules make of their flows in their place.

    If it were left to the next packet, and that came from the server, it would be a new flow from
    inside to the kernel (of TCP, too: it takes up what is under way), masqueraded to the very
    address and port that the client talks to: the old flow would go on as if nothing had changed.
    With its place taken it gets another port, of which the client knows nothing.
    """
    left, deleted = list(entries), 0
    # Where the table is full, or this kernel translates no entry that it is told, it stays empty.
    known = frozenset({errno.ENOENT, errno.EEXIST, errno.ENOMEM, errno.EOPNOTSUPP})
    for _ in range(_TRIES):
        requests = (request for entry, new in left for request in (_end_of(entry), new))
        done = list(netlink.outcomes(NETLINK_NETFILTER, requests, known, "cannot redirect flows"))
        deleted += sum(not status for status in done[::2])
        # Between the two a packet was faster.
        left = [each for each, status in zip(left, done[1::2], strict=True) if status]
        if not left:
            break
    return deleted


def _end_of(entry: Entry) -> bytes:
    """Delete whatever has the packets of an entry's client, in either of its directions."""
    return _delete(entry.original.source.version, _tuple_of(_CTA_TUPLE_ORIG, entry.original))


def _decided(entry: Entry, right: Index) -> bytes:
    """Make the entry that the next packet of an entry's client would make."""
    packet = entry.original
    target, port = packet.destination, packet.port
    for flows in right.near(packet):
        # A port may be in the maps of both families.
        into = flows.target
        if into is not None and into.version == packet.source.version and looks(packet, flows):
            target, port = into, flows.target_port or packet.port
            break
    version = packet.source.version
    ports = [attribute(kind, struct.pack("!H", port)) for kind in (1, 2)]
    addresses = [attribute(kind, target.packed) for kind in _NAT_ADDRESSES[version]]
    body = [
        _tuple_of(_CTA_TUPLE_ORIG, packet),
        _tuple_of(_CTA_TUPLE_REPLY, packet.turned),
        attribute(_CTA_TIMEOUT, struct.pack("!L", max(entry.timeout, 1))),
        nested(_CTA_NAT_DST, *addresses, nested(_NAT_PROTO, *ports)),
    ]
    if packet.protocol == "tcp":
        body.append(nested(_CTA_PROTOINFO, nested(1, attribute(1, _ESTABLISHED))))
    flags = netlink.REQUEST | netlink.ACK | netlink.CREATE
    return netlink.message(_NEW, flags, _head(version) + b"".join(body))


def forget_everything() -> None:
    """Delete all entries of both families."""
    requests = [_delete(version, b"") for version in (4, 6)]
    netlink.perform(NETLINK_NETFILTER, requests, frozenset(), "cannot delete conntrack entries")


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
    c = connection
    packet = Tuple(c.protocol, c.local, c.local_port, c.remote, c.remote_port)
    return _tuple_of(_CTA_TUPLE_ORIG, packet)


def _tuple_of(kind: int, packet: Tuple) -> bytes:
    proto = [
        attribute(_PROTO_NUM, bytes([_NUMBERS[packet.protocol]])),
        attribute(_PROTO_SRC_PORT, struct.pack("!H", packet.source_port)),
        attribute(_PROTO_DST_PORT, struct.pack("!H", packet.port)),
    ]
    ends = (packet.source, packet.destination)
    kinds = _ADDRESSES[packet.source.version]
    addresses = [attribute(n, ip.packed) for n, ip in zip(kinds, ends, strict=True)]
    return nested(kind, nested(_CTA_TUPLE_IP, *addresses), nested(_CTA_TUPLE_PROTO, *proto))


def _as_wanted(entry: Entry, right: Index) -> bool:
    if not entry.translated:
        return False
    target = (entry.reply.source, entry.reply.source_port)
    return any(
        looks(entry.original, f) and target == (f.target, f.target_port or entry.original.port)
        for f in right.near(entry.original)
    )


def _versions(flows: Collection[Flows]) -> tuple[int, ...]:
    named = {a.version for f in flows for a in f.destinations}
    named |= {n.version for f in flows for n in (f.source, f.into) if n is not None}
    return tuple(v for v in (4, 6) if v in named)


def _filter(version: int, flows: Collection[Flows]) -> bytes:
    """The attributes that let the kernel leave out what none of `flows` can be."""
    if any(f.answers for f in flows):
        return b""
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
    timeout = int.from_bytes(found.get(_CTA_TIMEOUT, b""), "big")
    return Entry(there, back, handle, timeout)


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
