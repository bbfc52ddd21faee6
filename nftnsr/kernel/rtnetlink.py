"""Links, addresses, routes and neighbours over rtnetlink(7), in the namespace of the caller.

pyroute2 opens its socket in the thread that uses it, so an `Rtnetlink` belongs to the one `Room`
in which it was made: used from another thread it would act on that thread's namespace.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from attrs import define, field
from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_GETNEIGH, RTM_GETNSID
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg

from nftnsr.kernel import messages, requests
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.messages import Message
from nftnsr.kernel.requests import FAMILY
from nftnsr.state.model import (
    Address,
    Link,
    Neighbour,
    PolicyRule,
    Route,
)

_IFA_F_TEMPORARY, _IFA_F_MANAGETEMPADDR = 0x01, 0x100
_IFAPROT_KERNEL_RA = 2
_NUD_PROBE, _NUD_PERMANENT, _NTF_PROXY = 0x10, 0x80, 0x08
_NUD_LEARNT = 0x02 | 0x04 | 0x08 | _NUD_PROBE  # NUD_REACHABLE, _STALE, _DELAY
_RTPROT_RA, _RTM_F_CLONED = 9, 0x200
_RT_TABLE_LOCAL = 255
_SIOCETHTOOL, _ETHTOOL_GLINK = 0x8946, 0x0A

_GONE = (errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL)


@define
class Rtnetlink:
    """One namespace's view of links, addresses, routes and neighbours."""

    _ipr: Any = field(factory=lambda: IPRoute(ext_ack=True, strict_check=True))

    def close(self) -> None:
        self._ipr.close()

    # -- reading ---------------------------------------------------------------------------

    def links(self) -> dict[str, Message]:
        """All links by name, as pyroute2 gives them; `link` makes a noun of one."""
        return {m.get("ifname"): m for m in self._ipr.get_links()}

    def addresses(self, devs: dict[int, str]) -> Iterator[Address]:
        """The addresses of `devs` (index -> name) that somebody gave them, in kernel order."""
        for message in self._ipr.get_addr():
            dev = devs.get(message["index"])
            flags = message.get("flags") or 0
            if dev is not None and not _is_learnt(message, flags):
                yield messages.address(message, dev, flags)

    def routes(self, names: dict[int, str]) -> Iterator[Route]:
        """The routes that somebody made; `names` (index -> name) names all links."""
        return (route for route in self.all_routes(names) if is_made(route))

    def all_routes(self, names: dict[int, str]) -> Iterator[Route]:
        """All routes, those to the addresses of this namespace too; learnt ones change any time."""
        for message in self._ipr.get_routes():
            if not (message["flags"] & _RTM_F_CLONED or message["proto"] == _RTPROT_RA):
                yield messages.route(message, names)

    def rules(self) -> Iterator[PolicyRule]:
        """The rules of the policy routing."""
        for message in self._ipr.get_rules():
            # Those of multicast routing (RTNL_FAMILY_IPMR) are of families of their own.
            if message["family"] in FAMILY.values():
                yield messages.rule(message)

    def neighbours(self, devs: dict[int, str]) -> Iterator[Neighbour]:
        """Permanent and proxied neighbours on `devs`."""
        for message in self._ipr.get_neighbours():
            if message["ifindex"] in devs and message["state"] & _NUD_PERMANENT:
                address, mac = ip_address(message.get("dst")), message.get("lladdr")
                # The kernel keeps permanent entries of its own for multicast and loopback.
                if mac and not address.is_multicast and message["ndm_type"] == 1:
                    yield Neighbour(devs[message["ifindex"]], address, mac)
        for message in self._proxies():
            if message["ifindex"] in devs:
                yield Neighbour(
                    devs[message["ifindex"]], ip_address(message.get("dst")), proxy=True
                )

    def learnt(self, name: str) -> tuple[Neighbour, ...]:
        """The neighbours on a link whose addresses the kernel has found out."""
        index = self._index(name)
        return tuple(
            Neighbour(name, ip_address(message.get("dst")), message.get("lladdr"))
            for message in self._ipr.get_neighbours()
            if message["ifindex"] == index and message["state"] & _NUD_LEARNT
        )

    def _proxies(self) -> Iterator[Message]:
        # `get_neighbours` leaves proxied entries out, also with flags=NTF_PROXY; a plain dump has
        # them. pyroute2 0.9.7's `nlm_request` reads a status that it never set on an IPRoute.
        self._ipr.status["nlm_generator"] = False
        for family in FAMILY.values():
            request = ndmsg()
            request["family"], request["flags"] = family, _NTF_PROXY
            yield from self._ipr.nlm_request(request, RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP)

    def namespace_number(self, descriptor: int) -> int:
        """What links here call the namespace behind a descriptor (IFLA_LINK_NETNSID), or -1."""
        # `get_netnsid` leaves a task behind that complains when the program ends.
        self._ipr.status["nlm_generator"] = False
        request = nsidmsg()
        request["attrs"].append(("NETNSA_FD", descriptor))
        for answer in self._ipr.nlm_request(request, RTM_GETNSID, NLM_F_REQUEST):
            number = int(answer.get_attr("NETNSA_NSID"))
            return number if number < 1 << 31 else -1
        return -1

    # -- changing --------------------------------------------------------------------------

    def create_veth(self, link: Link, other: Link, other_namespace: int) -> None:
        """Make both ends at once, the other one in the namespace behind a file descriptor."""
        peer = {"ifname": other.name, "net_ns_fd": other_namespace, **requests.made(other)}
        _call(
            f"cannot make the veth pair {link.name}",
            self._ipr.link, "add", ifname=link.name, kind="veth", peer=peer, **requests.made(link),
        )  # fmt: skip

    def create_lower(self, link: Link, namespace: int) -> None:
        """Make a link upon one of this namespace, in the namespace behind a file descriptor."""
        assert link.lower is not None
        _call(
            f"cannot make the {link.lower.kind} {link.name} upon {link.lower.parent}",
            self._ipr.link, "add", ifname=link.name, link=self._index(link.lower.parent),
            net_ns_fd=namespace, **requests.lower(link.lower), **requests.made(link),
        )  # fmt: skip

    def try_lower(self, link: Link) -> None:
        """Make such a link upon a veth, all in this namespace."""
        assert link.lower is not None
        _call("cannot make a veth", self._ipr.link, "add", ifname="parent", kind="veth")
        _call(
            f"this kernel makes no {link.lower.kind} upon another interface",
            self._ipr.link, "add", ifname=link.name, link=self._index("parent"),
            **requests.lower(link.lower),
        )  # fmt: skip

    def delete_link(self, name: str) -> None:
        with suppress(_Gone):
            index = self._index(name)
            _call(f"cannot delete link {name}", self._ipr.link, "del", index=index)

    def move_link(self, name: str, namespace: int) -> None:
        _call(
            f"cannot move link {name}",
            self._ipr.link, "set", index=self._index(name), net_ns_fd=namespace,
        )  # fmt: skip

    def set_link(self, link: Link) -> None:
        wanted = {
            "address": link.mac, "mtu": link.mtu, "txqlen": link.queue_length,
            "ifalias": link.alias,
        }  # fmt: skip
        given = {key: value for key, value in wanted.items() if value is not None}
        flags, change = requests.flags(link)
        if change:
            given |= {"flags": flags, "change": change}
        index, what = self._index(link.name), f"cannot set link {link.name}"
        try:
            _call(what, self._ipr.link, "set", index=index, **given)
        except _InUse:
            # Many a NIC takes a MAC only while it is down; whoever sets a link sets it up then.
            _call(what, self._ipr.link, "set", index=index, state="down")
            _call(what, self._ipr.link, "set", index=index, **given)

    def set_master(self, name: str, master: str | None) -> None:
        """Make a link a member of a bridge, bond or vrf, or of none."""
        index, above = self._index(name), 0 if master is None else self._index(master)
        what = f"cannot take link {name} out of its master"
        if master is not None:
            what = f"cannot make link {name} a member of {master}"
        _call(what, self._ipr.link, "set", index=index, master=above)

    def add_altname(self, dev: str, name: str) -> None:
        what = f"cannot give link {dev} the alternative name {name}"
        _call(what, self._ipr.link, "property_add", index=self._index(dev), altname=[name])

    def delete_altname(self, dev: str, name: str) -> None:
        what = f"cannot take the alternative name {name} from link {dev}"
        with suppress(_Gone):
            _call(what, self._ipr.link, "property_del", index=self._index(dev), altname=[name])

    def set_up(self, name: str, *, up: bool) -> None:
        state = "up" if up else "down"
        index = self._index(name)
        _call(f"cannot set link {name} {state}", self._ipr.link, "set", index=index, state=state)
        if up:
            see_carrier(name)

    def rename_link(self, name: str, new: str) -> None:
        index, what = self._index(name), f"cannot rename link {name} to {new}"
        try:
            _call(what, self._ipr.link, "set", index=index, ifname=new)
        except _InUse:
            # Before Linux 6.2 a link that is up keeps its name.
            _call(what, self._ipr.link, "set", index=index, state="down")
            _call(what, self._ipr.link, "set", index=index, ifname=new)
            _call(what, self._ipr.link, "set", index=index, state="up")

    def add_address(self, address: Address) -> None:
        _call(
            f"cannot add address {address.interface} to {address.dev}",
            # A network manager may have been faster.
            self._ipr.addr, "replace",
            index=self._index(address.dev), **requests.address(address),
        )  # fmt: skip

    def delete_address(self, address: Address) -> None:
        with suppress(_Gone):
            index, request = self._index(address.dev), requests.same_address(address)
            what = f"cannot delete address {address.interface} from {address.dev}"
            _call(what, self._ipr.addr, "del", index=index, **request)

    def add_route(self, route: Route) -> None:
        if route.destination.version == 4 or len(route.hops) > 1:
            # When a link goes, IPv6 keeps the paths over other links: this completes them.
            command = "replace"
        elif any(hop.via for hop in route.hops):
            # Appended, a gateway of the same metric would become one more path of a foreign route.
            command = "add"
        else:
            command = "append"
        what = f"cannot add route {route.destination} over {', '.join(sorted(route.devs))}"
        _call(what, self._ipr.route, command, **requests.route(route, self._index))

    def delete_route(self, route: Route) -> None:
        with suppress(_Gone):  # its link, even
            request = requests.route(route, self._index)
            if route.destination.version == 6 and len(route.hops) > 1:
                # Any of the paths may be one that somebody appended, of another protocol.
                del request["proto"]
            _call(f"cannot delete route {route.destination}", self._ipr.route, "del", **request)

    def add_rule(self, rule: PolicyRule) -> None:
        what = f"cannot add the rule of priority {rule.priority}"
        _call(what, self._ipr.rule, "add", **requests.rule(rule))

    def delete_rule(self, rule: PolicyRule) -> None:
        what = f"cannot delete the rule of priority {rule.priority}"
        with suppress(_Gone):
            _call(what, self._ipr.rule, "del", **requests.rule(rule))

    def add_neighbour(self, neighbour: Neighbour) -> None:
        what = f"cannot add neighbour {neighbour.address} on {neighbour.dev}"
        _call(what, self._ipr.neigh, "replace", **requests.neighbour(neighbour, self._index))

    def relearn(self, neighbours: Iterable[Neighbour]) -> None:
        """Take neighbours for what they were, and ask each at once whether it still is.

        To be asked tells it, too, where we are now.
        """
        for neighbour in neighbours:
            # Without it there is only the wait for an answer.
            with suppress(KernelError):
                request = requests.neighbour(neighbour, self._index) | {"state": _NUD_PROBE}
                what = f"cannot add neighbour {neighbour.address} on {neighbour.dev}"
                _call(what, self._ipr.neigh, "replace", **request)

    def delete_neighbour(self, neighbour: Neighbour) -> None:
        what = f"cannot delete neighbour {neighbour.address} on {neighbour.dev}"
        with suppress(_Gone):
            _call(what, self._ipr.neigh, "del", **requests.neighbour(neighbour, self._index))

    def _index(self, name: str) -> int:
        with suppress(NetlinkError):
            for message in self._ipr.get_links(ifname=name):
                return int(message["index"])
        raise _Gone(f"there is no link {name} in this namespace")


def is_made(route: Route) -> bool:
    """Whether somebody made it: the table `local` is the kernel's."""
    return route.table != _RT_TABLE_LOCAL


def _is_learnt(message: Message, flags: int) -> bool:
    """Whether it is from a router advertisement, and the next one brings it back (RFC 4862)."""
    if message["family"] != socket.AF_INET6:
        return False
    # Anybody can make an address of which the kernel makes temporary ones (`mngtmpaddr`), but
    # from an advertisement it has a lifetime; since Linux 5.18 it is told who made it.
    by_ra = message.get("proto") == _IFAPROT_KERNEL_RA
    temporary = flags & _IFA_F_TEMPORARY
    cache = message.get("cacheinfo") or {}
    ends = cache.get("ifa_valid", 0xFFFFFFFF) != 0xFFFFFFFF
    return bool(temporary or (flags & _IFA_F_MANAGETEMPADDR and (by_ra or ends)))


class _Gone(KernelError):
    """What is to be deleted has gone with its link or its address: that is as wanted."""


class _InUse(KernelError):
    """The link is up, or otherwise in use."""


_REFUSALS: dict[int, type[KernelError]] = {**dict.fromkeys(_GONE, _Gone), errno.EBUSY: _InUse}


def _call(what: str, function: Callable[..., object], *args: object, **kwargs: object) -> None:
    try:
        result = function(*args, **kwargs)
        if isinstance(result, Iterator):
            tuple(result)
    except NetlinkError as error:
        refusal = _REFUSALS.get(error.code, KernelError)
        raise refusal(f"{what}: {error.args[1] if len(error.args) > 1 else error}") from error


def see_carrier(name: str) -> None:
    """Make the kernel take note now that a link of the caller's namespace has its carrier.

    It handles carrier events once a second (net/core/link_watch.c). Until then IPv6 has no
    multicast route on the link, and whatever is sent is lost: no neighbour is found. Asking for the
    state of the link handles its own events, and no others.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, suppress(OSError):
        command = array("I", [_ETHTOOL_GLINK, 0])
        address, _ = command.buffer_info()
        request = struct.pack("16sP", name.encode(), address)
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request.ljust(40, b"\0"))
