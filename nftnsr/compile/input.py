"""What may reach the router itself, once `input` says so.

Nothing listens there unless somebody puts it there; without the key the router answers as any host
does. With it, what comes in by the uplink is dropped, but for answers, for what IPv6 cannot do
without (RFC 4890, section 4.4.1), for echo requests, and for the ports that are named.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import drops
from nftnsr.compile.families import Family, families, outer
from nftnsr.spec.model import Router, Service
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, nft_network

_HOOK = "type filter hook input priority filter; policy drop;"
_NAME = "input"
_NEIGHBOURS = (
    "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "
    "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"
)


def sets(router: Router) -> Iterator[Set]:
    port = "inet_proto . inet_service"
    if anyone := frozenset(e for s in _services(router) if not s.sources for e in _ports(s)):
        yield Set(TABLE, "set", _NAME, (f"type {port}", "flags interval"), anyone)
    for each in families(router):
        if some := frozenset(e for s in _services(router) for e in _from_sources(s, each)):
            lines = (f"type {each.address_type} . {port}", "flags interval")
            yield Set(TABLE, "set", _sources(each), lines, some)


def chains(router: Router) -> Iterator[Chain]:
    if router.filter.input is not None:
        yield Chain(TABLE, "input", _HOOK, tuple(_rules(router)))


def _rules(router: Router) -> Iterator[str]:
    invalid = drops.drop(router)
    yield f"ct state vmap {{ established : accept, related : accept, invalid : {invalid} }}"
    yield f"iifname != {outer(router)} accept"
    used = {s.name for s in sets(router)}
    for each in families(router):
        if each.version == 6:
            yield f"icmpv6 type {{ {_NEIGHBOURS} }} accept"
        if router.filter.ping:
            yield f"{each.icmp} type echo-request accept"
    if _NAME in used:
        yield f"meta l4proto . th dport @{_NAME} accept"
    for each in families(router):
        if _sources(each) in used:
            yield f"{each.keyword} saddr . meta l4proto . th dport @{_sources(each)} accept"
    yield from drops.rest(router)


def _services(router: Router) -> tuple[Service, ...]:
    return router.filter.input or ()


def _sources(each: Family) -> str:
    return f"{_NAME}_{each.name}_sources"


def _ports(service: Service) -> Iterator[str]:
    yield from (f"{protocol} . {p}" for protocol in service.protocols for p in service.ports)


def _from_sources(service: Service, each: Family) -> Iterator[str]:
    for network in service.sources:
        if network.version == each.version:
            yield from (f"{nft_network(network)} . {port}" for port in _ports(service))
