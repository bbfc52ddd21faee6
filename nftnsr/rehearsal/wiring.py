"""The wires between those who take part: names and MACs of their ends, and who is behind them.

Where two ends only ever talk to each other they know each other's MAC for good, and every route
has one and the same next hop: however many addresses a world has, it puts no strain on the
neighbour tables, whose limits all namespaces of the machine share.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from nftnsr.spec.model import Address, Spec
from nftnsr.state.model import Link

SEGMENT, UPLINK_PORT, NEIGHBOUR_PORT = "segment", "uplink", "neighbour"
WAN, LAN = "wan", "eth0"

NARROW = 1280
"""The MTU of a narrow path: the least that IPv6 can have (RFC 8200, section 5)."""
WIDE = 9000
"""The MTU of a wire whose ends say that they take more than an uplink does."""

_NEAR: dict[int, Address] = {4: IPv4Address("169.254.1.1"), 6: IPv6Address("fe80::1:1")}
_FAR: dict[int, Address] = {4: IPv4Address("169.254.1.2"), 6: IPv6Address("fe80::1:2")}


@frozen
class End:
    """One end of a wire, and the address under which the other end knows it."""

    link: str
    mac: str
    addresses: tuple[Address, ...]

    @property
    def as_link(self) -> Link:
        return Link(self.link, mac=self.mac)


@frozen
class Wire:
    """A veth pair; its number is its own in a world."""

    number: int
    near: End
    far: End


def wire(number: int, near: str, far: str, mac: str | None = None) -> Wire:
    """Wire `number` of a world, which no other has; `mac` is the near end's, if it has one."""
    # 0x02: locally administered, unicast (IEEE 802, section 8.2).
    prefix = f"02:72:68:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}"
    return Wire(
        number,
        End(near, mac or f"{prefix}:01", tuple(_NEAR.values())),
        End(far, f"{prefix}:02", tuple(_FAR.values())),
    )


def bridge_port(number: int) -> str:
    """The link of the host by which the bridge of an uplink is on the segment of this number."""
    return f"segment{number}"


def free_link_names(spec: Spec, count: int, taken: Collection[str] = ()) -> list[str]:
    """Names for links that the spec uses nowhere, and that are not `taken`."""
    uplinks = [uplink for router in spec.routers for uplink in router.uplinks]
    made = [uplink.made for uplink in uplinks if uplink.made is not None]
    used = {uplink.dev for uplink in uplinks}
    used |= {link.interface for router in spec.routers for link in router.links}
    used |= {name for each in made for name in (each.parent, each.bridge) if name is not None}
    used |= set(taken)
    candidates = (f"inner{number}" for number in range(count + len(used)))
    return [name for name in candidates if name not in used][:count]
