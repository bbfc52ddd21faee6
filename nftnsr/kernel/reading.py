"""Readings: what an answer about this machine rests upon, as digests that can be compared.

What a full check looks at is read here again, in the kernel's own words and undecoded, in a few
milliseconds: of a ruleset the number of its generation, which changes with every commit. Two
readings that are the same say that a check between or after them would find the same. A reading
may hold more than a check looks at, never less.

Nothing is imported here, nor by what this imports, that is not needed: attrs, pathlib or typing
take longer than a whole reading.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from struct import Struct, pack
from threading import Thread

from nftnsr.kernel import netlink
from nftnsr.kernel.generation import generation
from nftnsr.kernel.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, attribute, attributes
from nftnsr.kernel.setns import cookie, enter

View = dict[str, dict[str, list[str]]]
"""What to read: namespace -> kind -> names; the host's is "". Of nftnsr's own it is all links."""

HOST = ""

_STARTED = time.time_ns()
_NETNS = "/run/netns"
_SYSCTL = "/proc/sys"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"

_GET_LINK, _GET_ADDRESS, _GET_ROUTE, _GET_NEIGHBOUR, _GET_RULE = 18, 22, 26, 30, 34
_GET_TABLE = (10 << 8) | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE
_INET, _INET6 = 2, 10
# The fixed part of each message, and the attributes that change by themselves: counters and
# timers, and the settings of a link, which are read as sysctls.
_HEADS = {
    _GET_LINK: (16, frozenset({7, 23, 26})),  # IFLA_STATS, _STATS64, _AF_SPEC
    _GET_ADDRESS: (8, frozenset({6})),  # IFA_CACHEINFO
    _GET_ROUTE: (12, frozenset({12})),  # RTA_CACHEINFO
    _GET_NEIGHBOUR: (12, frozenset({3, 4})),  # NDA_CACHEINFO, _PROBES
    _GET_RULE: (12, frozenset[int]()),
}
_WITHOUT_STATISTICS = attribute(29, pack("=L", 8))  # IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_PERM_ADDRESS = 1, 3, 54
_IFA_LABEL, _RTA_OIF, _NFTA_TABLE_NAME = 3, 4, 1
_NDM_FLAGS, _NTF_PROXY, _NUD_PERMANENT, _RTN_UNICAST = 10, 0x08, 0x80, 1
_INDEX = Struct("=4xi")  # of the link, in struct ifinfomsg, ifaddrmsg and ndmsg alike
_NEIGHBOUR = Struct("=8xHxB")  # ndm_state, ndm_type
_MORE_THAN_DEFAULT = Struct("=xB")  # rtm_dst_len

Message = tuple[bytes, dict[int, bytes]]


class Unreadable(Exception):
    """There is something of which no reading can be taken."""


def digest(found: object) -> str:
    """The digest of plain values, whose `repr` says all of them."""
    return sha256(repr(found).encode()).hexdigest()


def files(paths: Iterable[str]) -> str:
    """The contents of files, and that a name has none."""
    found = ((path, _content(path)) for path in paths)
    return digest([(path, None if c is None else sha256(c).hexdigest()) for path, c in found])


def code() -> list[str]:
    """Every file of code that is in this process."""
    modules = {getattr(module, "__file__", None) for module in tuple(sys.modules.values())}
    with open("/proc/self/maps") as maps:
        mapped = {line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line}
    return sorted({*filter(None, modules), *mapped})


def loaded(paths: Iterable[str]) -> str:
    """Which files they are, and since when they hold what this process has loaded from them."""
    found = []
    for path in paths:
        status = os.stat(path)
        if status.st_ctime_ns >= _STARTED:
            raise Unreadable(f"{path} is newer than this process, which may hold what it was")
        found.append((path, status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns))
    return digest((__file__, found))


def kernel(view: View) -> str:
    """What the kernel says, in the host (the caller's namespace) and in the others of `view`."""
    with open(_BOOT_ID) as file:
        found: list[object] = [file.read(), _shared(view[HOST])]
    trouble: list[Exception] = []

    def visit() -> None:
        try:
            for name in sorted(view.keys() - {HOST}):
                enter(f"{_NETNS}/{name}")
                look = view[name]
                found.append((name, _shared(look) if "links" in look else _own(look)))
        except Exception as error:
            trouble.append(error)

    # A thread of its own goes there: the caller never leaves the host.
    thread = Thread(target=visit)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return digest(found)


def _own(look: dict[str, list[str]]) -> object:
    """All of a namespace that is nftnsr's own."""
    return (
        cookie(),
        generation(),
        list(_dump(_GET_LINK)),
        list(_dump(_GET_ADDRESS)),
        [*_dump(_GET_ROUTE, _INET), *_dump(_GET_ROUTE, _INET6)],
        list(_dump(_GET_RULE)),
        list(_neighbours()),
        _settings(look["sysctls"]),
    )


def _shared(look: dict[str, list[str]]) -> object:
    """Of the host, and of others' namespaces, what concerns the links of `look`.

    What else there is comes and goes all the time.
    """
    names = {name.encode() + b"\0" for name in look["links"]}
    hardware = {bytes.fromhex(mac.replace(":", "")) for mac in look["macs"]}
    tables = {name.encode() + b"\0" for name in look["tables"]}
    labels = {label.encode() + b"\0" for label in look["labels"]}
    links = [
        (head, found)
        for head, found in _dump(_GET_LINK)
        if found[_IFLA_IFNAME] in names
        or hardware & {found.get(_IFLA_ADDRESS), found.get(_IFLA_PERM_ADDRESS)}
    ]
    indices = {_index(head) for head, _ in links}
    addresses = [
        (head, found)
        for head, found in _dump(_GET_ADDRESS)
        if _index(head) in indices or found.get(_IFA_LABEL) in labels
    ]
    routes = [
        (head, found)
        for family in (_INET, _INET6)
        for head, found in _dump(_GET_ROUTE, family)
        if _may_concern(head, found, indices)
    ]
    rulesets = [
        (head, found)
        for head, found in _dump_of(NETLINK_NETFILTER, _GET_TABLE, bytes(4), 4, frozenset())
        if found[_NFTA_TABLE_NAME] in tables
    ]
    return (
        cookie(),
        rulesets,
        links,
        addresses,
        routes,
        list(_dump(_GET_RULE)),
        [(head, found) for head, found in _neighbours() if _index(head) in indices],
        _settings(look["sysctls"]),
    )


def _may_concern(head: bytes, found: dict[int, bytes], indices: set[int]) -> bool:
    """Routes over other links only matter where they compete with default routes of ours."""
    (length,) = _MORE_THAN_DEFAULT.unpack_from(head)
    over = found.get(_RTA_OIF)
    return not length or over is None or int.from_bytes(over, sys.byteorder) in indices


def _neighbours() -> Iterator[Message]:
    """The permanent and the proxied ones; those that the kernel has learnt come and go."""
    for head, found in _dump(_GET_NEIGHBOUR):
        state, kind = _NEIGHBOUR.unpack_from(head)
        if state & _NUD_PERMANENT and kind == _RTN_UNICAST:
            yield head, found
    for family in (_INET, _INET6):
        yield from _dump(_GET_NEIGHBOUR, family, proxied=True)


def _settings(paths: Iterable[str]) -> list[tuple[str, bytes | None]]:
    return [(path, _content(f"{_SYSCTL}/{path}")) for path in paths]


def _dump(kind: int, family: int = 0, *, proxied: bool = False) -> Iterator[Message]:
    """All of a kind, without what changes by itself; of every family where none is named."""
    size, volatile = _HEADS[kind]
    head = bytearray(size)
    head[0] = family
    if proxied:
        head[_NDM_FLAGS] = _NTF_PROXY
    more = _WITHOUT_STATISTICS if kind == _GET_LINK else b""
    yield from _dump_of(NETLINK_ROUTE, kind, bytes(head) + more, size, volatile)


def _dump_of(
    protocol: int, kind: int, payload: bytes, size: int, volatile: frozenset[int]
) -> Iterator[Message]:
    for body in netlink.dump(protocol, kind, payload, "cannot take a reading"):
        found = attributes(body, size)
        yield body[:size], {k: v for k, v in found.items() if k not in volatile}


def _index(head: bytes) -> int:
    return int(_INDEX.unpack_from(head)[0])


def _content(path: str) -> bytes | None:
    """What a file holds; to read anything but a file could take it away from who shall have it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unreadable(f"{path} is no file")
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
