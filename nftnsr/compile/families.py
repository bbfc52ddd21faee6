"""What a router has in each address family; the other concerns ask here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from attrs import evolve, frozen

from nftnsr.spec.model import Address, Inner, Interface, Network, Router, Uplink
from nftnsr.state.words import anonymous_set

_ULA = IPv6Network("fc00::/7")


@frozen
class Side:
    """An inner link in one address family: the addresses of its ends, and what lies behind it."""

    link: Inner
    far: tuple[Interface, ...]
    router: tuple[Interface, ...]
    networks: tuple[Network, ...]

    @property
    def own(self) -> tuple[Network, ...]:
        """The far end's addresses, each by itself."""
        return tuple(_single(i.ip) for i in self.far)

    @property
    def inside(self) -> tuple[Network, ...]:
        """All that is at the far end: its own addresses and the networks behind it."""
        return (*self.own, *self.networks)

    def reaches(self, address: Address) -> bool:
        """Whether the router's end has `address` on its link."""
        return any(address in i.network for i in self.router)


@frozen
class Family:
    """One address family of a router, in nft's words, with the addresses that the spec gives it."""

    version: int
    public: tuple[Interface, ...]
    sides: tuple[Side, ...]
    """The inner links, the host's first."""
    alone: tuple[Address, ...] = ()
    """The public addresses that are one host's inside."""
    translated: tuple[tuple[str, Network], ...] = ()
    """What leaves by an address that the spec names for it, and the uplink that has that one."""

    @property
    def name(self) -> str:
        """As in `meta nfproto ipv4`."""
        return f"ipv{self.version}"

    @property
    def keyword(self) -> str:
        """As in `ip daddr`."""
        return "ip" if self.version == 4 else "ip6"

    @property
    def icmp(self) -> str:
        """As in `icmp type`."""
        return "icmp" if self.version == 4 else "icmpv6"

    @property
    def address_type(self) -> str:
        return f"ipv{self.version}_addr"

    @property
    def shared(self) -> tuple[Address, ...]:
        """The public addresses that forwards without an `address` are for."""
        return tuple(i.ip for i in self.public if i.ip not in self.alone)

    @property
    def host(self) -> tuple[Interface, ...]:
        """The host's addresses at its end of the first inner link."""
        return self.sides[0].far

    @property
    def far(self) -> tuple[Interface, ...]:
        """The addresses at the far ends of all inner links."""
        return tuple(i for side in self.sides for i in side.far)

    @property
    def router(self) -> tuple[Interface, ...]:
        """The addresses of the router's ends."""
        return tuple(i for side in self.sides for i in side.router)

    @property
    def inside(self) -> tuple[Network, ...]:
        """All that is behind the router."""
        return tuple(n for side in self.sides for n in side.inside)

    @property
    def routed(self) -> tuple[Network, ...]:
        """The part of `inside` that may go out."""
        return tuple(n for side in self.sides for n in self.routed_from(side))

    def routed_from(self, side: Side) -> tuple[Network, ...]:
        """The part of a side that may go out: all of IPv4 (it is masqueraded), no ULA.

        A ULA that is translated goes out as something else.
        """
        free = tuple(n for n in side.inside if not is_ula(n))
        ula = tuple(n for n in side.inside if is_ula(n))
        return (*free, *self.translated_of(*ula))

    def translated_of(self, *networks: Network) -> tuple[Network, ...]:
        """The part of `networks` that leaves by an address that the spec names for it."""
        going = (n for _, t in self.translated for n in _common(t, networks))
        return tuple(collapse_addresses(going))  # type: ignore[type-var]

    @property
    def open(self) -> tuple[Network, ...]:
        """The host's own addresses that the internet can reach: IPv6 ones, but no ULA."""
        return tuple(n for n in self.sides[0].own if self.version == 6 and not is_ula(n))

    def on(self, uplink: Uplink) -> Family:
        """This family as one uplink has it: its own public addresses, and what leaves by those."""
        return evolve(
            self,
            public=tuple(i for i in self.public if i in uplink.addresses),
            translated=tuple(t for t in self.translated if t[0] == uplink.dev),
        )


def families(router: Router) -> tuple[Family, ...]:
    """The families in which an uplink has an address, IPv4 first."""
    found = tuple(_family(router, version) for version in (4, 6))
    return tuple(f for f in found if f.public)


def family(router: Router, version: int) -> Family | None:
    """One family, or None where no uplink has an address of it."""
    return next((f for f in families(router) if f.version == version), None)


def ways_out(router: Router, each: Family) -> Iterator[tuple[str, Family]]:
    """The uplinks, as what `oifname` is compared to, with the family as they have it.

    A ULA may leave by the uplink that translates it, and by no other that takes its place.
    """
    if len(router.uplinks) == 1 or not any(is_ula(n) for _, n in each.translated):
        yield outer(router), each
        return
    for uplink in router.uplinks:
        yield f'"{uplink.dev}"', each.on(uplink)


def inner(router: Router) -> str:
    """The router's ends of its inner links, as what `iifname` is compared to."""
    return anonymous_set(f'"{link.peer}"' for link in router.links)


def outer(router: Router) -> str:
    """The uplinks, as what `iifname` is compared to."""
    return anonymous_set(f'"{uplink.dev}"' for uplink in router.uplinks)


def by_uplink(name: str, uplink: Uplink) -> str:
    """`name` of something that each uplink has for itself; the first one's has it as it is."""
    return f"{name}_{uplink.name}" if uplink.name else name


def is_ula(network: Network) -> bool:
    """Whether `network` is an IPv6 unique local one (RFC 4193), which never leaves the uplink."""
    return isinstance(network, IPv6Network) and network.subnet_of(_ULA)


def _family(router: Router, version: int) -> Family:
    return Family(
        version,
        tuple(i for i in router.addresses if i.version == version and not i.is_link_local),
        tuple(_side(link, version) for link in router.links),
        tuple(pair.public for pair in router.one_to_one if pair.public.version == version),
        tuple((dev, n) for dev, n in _translated(router) if n.version == version),
    )


def _side(link: Inner, version: int) -> Side:
    return Side(
        link,
        tuple(i for i in link.addresses if i.version == version),
        tuple(i for i in link.router_addresses if i.version == version),
        tuple(n for n in link.networks if n.version == version),
    )


def _translated(router: Router) -> Iterator[tuple[str, Network]]:
    for pair in router.one_to_one:
        yield router.uplink_for(pair.public).dev, _single(pair.inner)
    for prefix in router.prefix_translation:
        yield router.uplinks[0].dev, prefix.inner
    for each in router.snat:
        yield router.uplink_for(each.first).dev, each.network


def _common(network: Network, others: Iterable[Network]) -> Iterator[Network]:
    """What `network` has in common with each of `others`: of two that overlap, the smaller."""
    return (max(network, n, key=lambda x: x.prefixlen) for n in others if n.overlaps(network))


def _single(address: Address) -> Network:
    return IPv4Network(address) if address.version == 4 else IPv6Network(address)
