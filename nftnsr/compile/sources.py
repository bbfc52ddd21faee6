"""What takes the place of source addresses, of what leaves by the uplink and of hairpinned clients.

    one_to_one_out_ipv4     inner host    -> its public address
    prefixes_out            inner prefix  -> public prefix
    snat_ipv4[_persistent]  inner network -> public addresses

The rest of IPv4 is masqueraded. nft looks for intervals in a map of either kind, so the narrower
one is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network, summarize_address_range
from itertools import product

from nftnsr.compile.families import Family, by_uplink, families, family, inner, outer
from nftnsr.compile.ways import FULL, transports, ways
from nftnsr.compile.wholes import out_name
from nftnsr.spec.model import Address, Network, Router, SourceNat, Uplink
from nftnsr.state.model import Set
from nftnsr.state.words import TABLE, anonymous_set, nft_network


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        for uplink, persistent in product(router.uplinks, (False, True)):
            if group := _snat(router, uplink, each, persistent=persistent):
                lines = (f"type {each.address_type} : interval {each.address_type}",)
                elements = frozenset(f"{nft_network(n.network)} : {_pool(n)}" for n in group)
                name = _snat_name(uplink, each, persistent=persistent)
                yield Set(TABLE, "map", name, (*lines, "flags interval"), elements)
        # Forwards whose servers see the router as their client, by what the client asked for.
        hiding = (w for w in ways(router, each) if w.forward.hide_client)
        if elements := frozenset(key for way in hiding for key in way.full_keys):
            yield Set(TABLE, "set", f"hidden_{each.name}", FULL.declaration(each), elements)


def rules(router: Router, *, translated: bool) -> Iterator[str]:
    """`translated` says whether any destination is."""
    for each in families(router):
        yield from _leaving(router, each)
    links = inner(router)
    if translated and router.hairpin:
        # Else the server answers the client directly, past the router, from another address.
        yield f"iifname {links} oifname {links} ct status dnat masquerade"
    for each in families(router):
        if hiding := [w.forward for w in ways(router, each) if w.forward.hide_client]:
            # What a SYN proxy begins came in by no link.
            come = "" if any(f.synproxy for f in hiding) else f"iifname {outer(router)} "
            inward = f"{come}oifname {links} {transports(router)}"
            asked = " . ".join((
                f"ct original {each.keyword} saddr", f"ct original {each.keyword} daddr",
                "meta l4proto", "ct original proto-dst",
            ))  # fmt: skip
            yield f"{inward} {asked} @hidden_{each.name} masquerade"


def seen_as(
    router: Router, uplink: Uplink, source: Address, destination: Address
) -> tuple[Network, ...]:
    """Where the address is under which `destination` sees what `source` sends by an uplink."""
    each = family(router, source.version)
    itself = (ip_network(source),)
    if each is None or any(destination in n for n in router.no_nat):
        return itself
    for pair in router.one_to_one:
        if pair.inner == source and router.uplink_for(pair.public) == uplink:
            return (ip_network(pair.public),)
    for prefix in router.prefix_translation:
        if source in prefix.inner and uplink == router.uplinks[0]:
            return (ip_network(prefix.outer(source)),)
    for nat in router.snat:
        if source in nat.network and router.uplink_for(nat.first) == uplink:
            return tuple(summarize_address_range(nat.first, nat.last))
    if router.masquerade and source.version == 4:
        return tuple(ip_network(i.ip) for i in each.on(uplink).public)
    return itself


def translated_into(router: Router, version: int) -> Iterator[Network]:
    """The public addresses of a family that stand for somebody inside."""
    yield from (ip_network(p.public) for p in router.one_to_one if p.public.version == version)
    yield from (p.public for p in router.prefix_translation if version == 6)
    for nat in router.snat:
        if nat.first.version == version:
            yield from summarize_address_range(nat.first, nat.last)


def _leaving(router: Router, each: Family) -> Iterator[str]:
    """The first that says something decides; so what shall not be translated comes first."""
    everywhere, ip = f"oifname {outer(router)}", each.keyword
    if exempt := [nft_network(n) for n in router.no_nat if n.version == each.version]:
        yield f"{everywhere} {ip} daddr {anonymous_set(exempt)} accept"
    for uplink in router.uplinks:
        leaving = _by_their_own(router, uplink, each)
        yield from (f'oifname "{uplink.dev}" {rule}' for rule in leaving)
    if router.masquerade and each.version == 4:
        yield f"{everywhere} meta nfproto ipv4 masquerade{_how(router)}"


def _by_their_own(router: Router, uplink: Uplink, each: Family) -> Iterator[str]:
    """Those who leave by an uplink with an address that it has for them."""
    ip = each.keyword
    if any(router.uplink_for(public) == uplink for public in each.alone):
        yield f"snat {ip} to {ip} saddr map @{out_name(uplink, each)}"
    if each.version == 6 and router.prefix_translation and uplink == router.uplinks[0]:
        yield "snat ip6 prefix to ip6 saddr map @prefixes_out"
    for persistent in (False, True):
        if _snat(router, uplink, each, persistent=persistent):
            name = _snat_name(uplink, each, persistent=persistent)
            how = _how(router, persistent=persistent)
            yield f"snat {ip} to {ip} saddr map @{name}{how}"


def _how(router: Router, *, persistent: bool = False) -> str:
    words: list[str] = [router.source_ports] if router.source_ports != "preserve" else []
    words += ["persistent"] * persistent
    return f" {','.join(words)}" if words else ""


def _snat(router: Router, uplink: Uplink, each: Family, *, persistent: bool) -> list[SourceNat]:
    here = (n for n in router.snat if n.network.version == each.version)
    mine = (n for n in here if router.uplink_for(n.first) == uplink)
    return [n for n in mine if n.persistent == persistent]


def _snat_name(uplink: Uplink, each: Family, *, persistent: bool) -> str:
    return by_uplink(f"snat_{each.name}" + "_persistent" * persistent, uplink)


def _pool(each: SourceNat) -> str:
    # An address alone is none to nft, where the map leads to intervals (1.0.6: EINVAL).
    alone = each.first == each.last
    return f"{each.first}/{each.first.max_prefixlen}" if alone else each.pool
