"""The ways of forwards: each in one address family, with the keys of the maps that it is in.

The key of a map begins with the source and the public address where a forward names them, and
ends with protocol and port. Forwards that name the same parts share a map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from attrs import frozen

from nftnsr.compile.families import Family, outer
from nftnsr.spec.model import Address, Forward, Network, Ports, Router, Target
from nftnsr.state.words import anonymous_set, nft_network

_ANYBODY: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


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

    def declaration(self, each: Family, value: str | None = None) -> tuple[str, ...]:
        """Of a map to `value`, or of a set."""
        key = [each.address_type] * (self.sources + self.addresses) + ["inet_proto", "inet_service"]
        flags = ("flags interval",) if self.sources or self.ranges else ()
        to = "" if value is None else f" : {value}"
        return (f"type {' . '.join(key)}{to}", *flags)

    def destination(self, each: Family) -> str:
        """The type of what such a map leads to: a range keeps its ports."""
        return each.address_type + ("" if self.ranges else " . inet_service")

    def guard(self, each: Family, router: Router, *, local: bool = False) -> str:
        """What a packet must be for the map to be asked, with a space behind.

        A `local` one is the router's own, and came in by no link.
        """
        match = [f"iifname {outer(router)}"] * (self.outside and not local)
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


FULL = Match(addresses=True, sources=True, outside=False, ranges=True)
"""The key of `Way.full_keys`."""


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
    """Those that its clients ask for; empty: the shared ones of the family."""
    sources: tuple[Network, ...]
    targets: tuple[tuple[Address, Target], ...]

    @property
    def word(self) -> str:
        """What tells this forward from others in the names of its own chains and sets.

        Another forward more or less, or their order, changes nothing in it.
        """
        word = f"{self.forward.protocols[0]}_{self.forward.ports[0].first}"
        if not (self.addresses or self.sources):
            return word
        named = " ".join(map(str, (*self.addresses, *self.sources)))
        return f"{word}_{sha256(named.encode()).hexdigest()[:8]}"

    def pieces(self, router: Router) -> Iterator[tuple[Match, list[str], tuple[str, ...]]]:
        """The keys of its elements, by the map that they are in, and what they lead to."""
        hairpin = router.hairpin and self.forward.hairpin
        senders = joined((*self.sources, *self.each.inside)) if hairpin else self.sources
        for ports in self.forward.ports:
            for part in self._parts(ports):
                match = self._match(ranges=not part.single, hairpin=hairpin)
                values = (self._destination(t, part, ports) for t in self.targets)
                yield match, list(self.keys(part, senders)), tuple(values)

    def keys(self, ports: Ports, senders: tuple[Network, ...]) -> Iterator[str]:
        """With the parts that the forward names, in nft's words."""
        for protocol in self.forward.protocols:
            key = f"{protocol} . {ports}"
            here = [f"{ip} . {key}" for ip in self.addresses] if self.addresses else [key]
            if not self.sources:
                yield from here
            else:
                yield from (f"{nft_network(n)} . {k}" for n in senders for k in here)

    @property
    def full_keys(self) -> Iterator[str]:
        """With all parts, whether the forward names them or not: source, address, port."""
        senders = self.sources or (_ANYBODY[self.each.version],)
        for ports in self.forward.ports:
            for protocol in self.forward.protocols:
                for address in self.addresses or self.each.shared:
                    key = f"{address} . {protocol} . {ports}"
                    yield from (f"{nft_network(n)} . {key}" for n in senders)

    def _match(self, *, ranges: bool, hairpin: bool) -> Match:
        restricted = bool(self.sources)
        return Match(bool(self.addresses), restricted, not restricted and not hairpin, ranges)

    def _parts(self, ports: Ports) -> Iterator[Ports]:
        """A range that keeps its ports as it is; another, port by port.

        `dnat to address:9000-9010` would pick any port of the range.
        """
        if all(target.ports in (None, ports) for _, target in self.targets):
            yield ports
        else:
            yield from (Ports(port, port) for port in range(ports.first, ports.last + 1))

    @staticmethod
    def _destination(target: tuple[Address, Target], part: Ports, of: Ports) -> str:
        address, its = target
        return f"{address} . {its.port_for(part.first, of)}" if part.single else str(address)


def way(forward: Forward, each: Family) -> Way | None:
    """The way of `forward` in this family, or None where it has none."""
    sources = joined(n for n in forward.sources if n.version == each.version)
    targets = tuple(_targets(forward, each))
    addresses = tuple(ip for ip in forward.addresses if ip.version == each.version)
    if not forward.nat:
        addresses = tuple(ip for ip, _ in targets)
    if not targets or (forward.addresses and not addresses) or (forward.sources and not sources):
        return None
    return Way(forward, each, addresses, sources, targets)


def ways(router: Router, each: Family) -> Iterator[Way]:
    """Of the forwards that translate."""
    return (found for f in router.forward if f.nat and (found := way(f, each)) is not None)


def untranslated(router: Router, each: Family) -> Iterator[Way]:
    """Of the forwards that do not."""
    return (found for f in router.forward if not f.nat and (found := way(f, each)) is not None)


def _targets(forward: Forward, each: Family) -> Iterator[tuple[Address, Target]]:
    """Where `forward` leads in this family; a target without an address is the host's first.

    Without NAT it is all addresses of the host that can be reached at all.
    """
    if not forward.nat and each.version == 4:
        return
    for target in forward.targets:
        if not forward.nat and target.address is None:
            yield from ((network.network_address, target) for network in each.open)
            continue
        address = target.address
        if address is None and each.host:
            address = each.host[0].ip
        if address is not None and address.version == each.version:
            yield address, target


def joined(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Networks of one family, overlaps joined."""
    return tuple(collapse_addresses(networks))  # type: ignore[type-var]
