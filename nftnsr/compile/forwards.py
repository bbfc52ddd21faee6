"""Forwards, as maps from what a new connection looks like to where it leads.

However many forwards there are, a new connection costs one lookup for each map that the router
has, and it has only those that its forwards need:

    forward_ipv4              protocol . port          -> address . port
    forward_ipv4_ranges       protocol . ports         -> address (the port stays)
    forward_ipv4_outside      the same, for what comes in by the uplink only (no hairpin)
    forward_ipv4_sources      source . protocol . port -> ..., for forwards with `from`
    forward_ipv4_addresses    public address . protocol . port -> ..., for those with `address`

and so on with several of these words in a name. A range that leads to other ports is a row of
single ones: `dnat to address:9000-9010` would pick any port of the range.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import collapse_addresses

from attrs import frozen

from nftnsr.compile.families import Family, families
from nftnsr.spec.model import Address, Forward, Network, Ports, Router, Target
from nftnsr.state.model import Set
from nftnsr.state.words import TABLE, anonymous_set, nft_network


@frozen
class Match:
    """What a map looks at, its key: of whom, to which address, whether ranges of ports."""

    addresses: bool
    sources: bool
    outside: bool
    ranges: bool

    @property
    def order(self) -> tuple[bool, ...]:
        return (self.addresses, self.sources, self.outside, self.ranges)

    def name(self, what: str, each: Family) -> str:
        """The name of a map with this key; state/flows.py reads the key's parts off it."""
        words = [what, each.name]
        words += ["sources"] * self.sources + ["addresses"] * self.addresses
        words += ["outside"] * self.outside + ["ranges"] * self.ranges
        return "_".join(words)

    def declaration(self, each: Family, value: str) -> tuple[str, ...]:
        key = [each.address_type] * (self.sources + self.addresses) + ["inet_proto", "inet_service"]
        flags = ("flags interval",) if self.sources or self.ranges else ()
        return (f"type {' . '.join(key)} : {value}", *flags, "counter")

    def guard(self, each: Family, router: Router) -> str:
        """What a packet must be for the map to be asked, with a space behind."""
        match = [f'iifname "{router.uplink}"'] * self.outside
        if not self.addresses:
            match.append(f"{each.keyword} daddr {anonymous_set(map(str, each.shared))}")
        if self.sources or self.addresses:
            match.append(transports(router))
        return "".join(f"{word} " for word in match)

    def key(self, each: Family) -> str:
        parts = [f"{each.keyword} saddr"] * self.sources + [
            f"{each.keyword} daddr"
        ] * self.addresses
        return " . ".join([*parts, "meta l4proto", "th dport"])


def transports(router: Router) -> str:
    """nft wants to have seen a transport protocol before a port that is not behind it in a key."""
    sctp = any("sctp" in forward.protocols for forward in router.forward)
    return f"meta l4proto {anonymous_set(['tcp', 'udp', *(['sctp'] * sctp)])}"


@frozen
class Way:
    """A forward in one address family: who may use it at which addresses, and where it leads."""

    forward: Forward
    each: Family
    addresses: tuple[Address, ...]
    sources: tuple[Network, ...]
    targets: tuple[tuple[Address, Target], ...]

    def match(self, *, ranges: bool, hairpin: bool) -> Match:
        restricted = bool(self.sources)
        return Match(bool(self.addresses), restricted, not restricted and not hairpin, ranges)

    def keys(self, ports: Ports, senders: tuple[Network, ...]) -> Iterator[str]:
        """The keys of a map's elements, in nft's words."""
        for protocol in self.forward.protocols:
            key = f"{protocol} . {ports}"
            here = [f"{ip} . {key}" for ip in self.addresses] if self.addresses else [key]
            if not self.sources:
                yield from here
            else:
                yield from (f"{nft_network(n)} . {k}" for n in senders for k in here)


def way(forward: Forward, each: Family) -> Way | None:
    """The way of `forward` in this family, or None where it has none."""
    addresses = tuple(ip for ip in forward.addresses if ip.version == each.version)
    sources = joined(n for n in forward.sources if n.version == each.version)
    targets = tuple(_targets(forward, each))
    if not targets or (forward.addresses and not addresses) or (forward.sources and not sources):
        return None
    return Way(forward, each, addresses, sources, targets)


def ways(router: Router, each: Family) -> Iterator[Way]:
    return (found for f in router.forward if (found := way(f, each)) is not None)


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        for match, elements in _maps(router, each).items():
            value = each.address_type + ("" if match.ranges else " . inet_service")
            name, declared = match.name("forward", each), match.declaration(each, value)
            yield Set(TABLE, "map", name, declared, frozenset(elements))


def rules(router: Router) -> Iterator[str]:
    for each in families(router):
        for match in _maps(router, each):
            to = f"dnat {each.keyword} to {match.key(each)} map @{match.name('forward', each)}"
            yield match.guard(each, router) + to


def _maps(router: Router, each: Family) -> Mapping[Match, list[str]]:
    """The maps that the forwards need in this family, with their elements."""
    found: dict[Match, list[str]] = defaultdict(list)
    for there in ways(router, each):
        hairpin = router.hairpin and there.forward.hairpin
        senders = joined((*there.sources, *each.inside)) if hairpin else there.sources
        address, target = there.targets[0]
        for ports in there.forward.ports:
            for part in _parts(ports, target):
                match = there.match(ranges=not part.single, hairpin=hairpin)
                port = f" . {target.port_for(part.first, ports)}" if part.single else ""
                found[match] += [f"{key} : {address}{port}" for key in there.keys(part, senders)]
    return dict(sorted(found.items(), key=lambda item: item[0].order))


def _parts(ports: Ports, target: Target) -> Iterator[Ports]:
    """A range that keeps its ports as it is; another, port by port."""
    if target.ports is None or target.ports == ports:
        yield ports
    else:
        yield from (Ports(port, port) for port in range(ports.first, ports.last + 1))


def _targets(forward: Forward, each: Family) -> Iterator[tuple[Address, Target]]:
    """Where `forward` leads in this family; a target without an address is the host's first."""
    for target in forward.targets:
        address = target.address
        if address is None and each.host:
            address = each.host[0].ip
        if address is not None and address.version == each.version:
            yield address, target


def joined(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Networks of one family, overlaps joined."""
    return tuple(collapse_addresses(networks))  # type: ignore[type-var]
