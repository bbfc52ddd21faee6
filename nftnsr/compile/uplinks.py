"""Several uplinks: each connection stays with the one that it came in by, or went out by.

Its mark says which. Every packet of it bears the mark, and is routed by the uplink's own table,
which has what the main table has over that uplink; so an answer leaves by the uplink that the
question came in by, and rp_filter looks for a source there, too (src_valid_mark). What begins
inside takes the default route of the lowest metric, unless a rule sends it to an uplink.

An uplink without a carrier is passed over in every table (ignore_routes_with_linkdown). What was
masqueraded to its address is forgotten by the kernel with its next packet, which is dropped, and
begins anew by another uplink (net/netfilter/nf_nat_core.c, nf_nat_oif_changed).

    998    to the inside                   lookup main
    999    fwmark of an uplink             lookup its table
    999    from an address of an uplink    lookup its table
    1000   the rules of the spec
    31000  from a network of an uplink     lookup main, but for its default routes
    31001  from a network of an uplink     lookup its table
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from attrs import evolve

from nftnsr.compile.families import families
from nftnsr.spec.model import MAIN_TABLE, Address, Interface, Network, Router, Uplink
from nftnsr.state.model import Chain, Hop, PolicyRule, Route, Sysctl
from nftnsr.state.words import TABLE

_FIRST_PRIORITY, _LAST_PRIORITY = 1000, 31000
_WHOLE_MARK = 0xFFFFFFFF
_SCOPE_LINK = 253

# After connection tracking, before it is decided what becomes of a destination, and where it is.
_PREROUTING = "type filter hook prerouting priority mangle; policy accept;"
_POSTROUTING = "type filter hook postrouting priority mangle; policy accept;"


def several(router: Router) -> bool:
    return len(router.uplinks) > 1


def chains(router: Router) -> Iterator[Chain]:
    if not several(router):
        return
    marks = ", ".join(f'"{uplink.dev}" : {uplink.mark:#x}' for uplink in router.uplinks)
    # With every packet of whoever began it: a connection that had to change its uplink has another
    # mark from then on. What is on no uplink has no part in the map, and keeps what it has.
    mark = f"ct direction original ct mark set {{}} map {{{{ {marks} }}}}"
    # A mark that somebody else gave a packet, to choose its uplink, is left to it.
    restored = "ct mark != 0x0 meta mark set ct mark"
    yield Chain(TABLE, "uplinks", _PREROUTING, (mark.format("iifname"), restored))
    yield Chain(TABLE, "uplinks_out", _POSTROUTING, (mark.format("oifname"),))


def routes(router: Router, main: Iterable[Route]) -> Iterator[Route]:
    """The uplinks' own tables, of the routes that `main` has over each, and of its prefixes."""
    if not several(router):
        return
    kept = tuple(main)
    for uplink in router.uplinks:
        for interface in uplink.connected:
            if not interface.is_link_local:
                yield evolve(_connected(uplink, interface.network), table=uplink.table)
        for route in kept:
            if route.table == MAIN_TABLE and route.devs == {uplink.dev}:
                yield evolve(route, table=uplink.table)


def rules(router: Router) -> Iterator[PolicyRule]:
    if not several(router):
        return
    for each in families(router):
        for network in each.inside:
            yield PolicyRule(each.version, _FIRST_PRIORITY - 2, destination=network)
        for uplink in router.uplinks:
            if public := each.on(uplink).public:
                yield from _rules(router, uplink, each.version, public)


def _rules(
    router: Router, uplink: Uplink, version: int, public: Iterable[Interface]
) -> Iterator[PolicyRule]:
    ours = PolicyRule(version, _FIRST_PRIORITY - 1, table=uplink.table)
    yield evolve(ours, mark=(uplink.mark, _WHOLE_MARK))
    for interface in public:
        yield evolve(ours, source=ip_network(interface.ip))
    for source in sources(router, uplink):
        if source.version == version:
            chosen = evolve(ours, priority=_LAST_PRIORITY + 1, source=source)
            yield evolve(chosen, priority=_LAST_PRIORITY, table=MAIN_TABLE, suppress=0)
            yield chosen


def sysctls(router: Router) -> Iterator[Sysctl]:
    for uplink in router.uplinks if several(router) else ():
        for family in ("ipv4", "ipv6"):
            yield Sysctl(f"net/{family}/conf/{uplink.dev}/ignore_routes_with_linkdown", "1")
        yield Sysctl(f"net/ipv4/conf/{uplink.dev}/src_valid_mark", "1")


def sources(router: Router, uplink: Uplink) -> tuple[Network, ...]:
    """What inside leaves by this uplink while it can: what the spec says, and what it implies.

    Only there has an address of the uplink's own prefix a way back, be it one that is translated
    or one that somebody inside has. The first uplink is everybody's, and needs no rule for it.
    """
    if not uplink.metric:
        return uplink.networks
    named = [(pair.public, ip_network(pair.inner)) for pair in router.one_to_one]
    named += [(nat.first, nat.network) for nat in router.snat]
    found = [*uplink.networks, *(n for public, n in named if router.uplink_for(public) == uplink)]
    prefixes = [i.network for i in uplink.addresses if i.version == 6 and not i.is_link_local]
    far = [i.ip for each in families(router) for i in each.far if each.version == 6]
    found += [ip_network(ip) for ip in far if any(ip in prefix for prefix in prefixes)]
    return tuple(dict.fromkeys(found))


def leaves_by(router: Router, source: Address) -> Uplink:
    """The uplink that a new connection of `source` takes while all have a carrier."""
    version = source.version
    if (sent := _sent_by_a_rule(router, source)) is not None:
        return sent
    for uplink in router.uplinks:
        if any(source in n for n in sources(router, uplink) if n.version == version):
            return uplink
    ways = (u for u in router.uplinks if any(g.version == version for g in u.gateways))
    return next(ways, router.uplinks[0])


def _sent_by_a_rule(router: Router, source: Address) -> Uplink | None:
    """The uplink to which a rule of the spec sends all that comes from `source`."""
    numbered = enumerate(router.rules, _FIRST_PRIORITY)
    for _, rule in sorted(numbered, key=lambda each: (each[1].priority or each[0], each[0])):
        if rule.source is None or rule.source.version != source.version:
            continue
        narrow = any(part is not None for part in (rule.destination, rule.mark, rule.iif, rule.oif))
        if source in rule.source and rule.type == "unicast" and not narrow:
            found = _of_table(router, rule.table, source.version)
            if found is not None:
                return found
    return None


def _of_table(router: Router, table: int, version: int) -> Uplink | None:
    """The uplink that the default route of a table leads over."""
    for uplink in router.uplinks if several(router) else ():
        if uplink.table == table and any(g.version == version for g in uplink.gateways):
            return uplink
    for route in router.routes:
        whole = route.destination.version == version and route.destination.prefixlen == 0
        if route.table == table and whole and route.via is not None:
            return router.uplink_on(route.dev or router.link_to(route.via) or "")
    return None


def _connected(uplink: Uplink, network: Network) -> Route:
    scope, metric = (_SCOPE_LINK, 0) if network.version == 4 else (0, 1024)
    return Route(network, (Hop(uplink.dev),), metric=metric, scope=scope)
