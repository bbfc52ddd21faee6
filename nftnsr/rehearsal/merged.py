"""Two specs of the same routers -> one that names whom either names, so that one world is both's.

It is nothing that anybody could apply: it only says who has to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from attrs import evolve

from nftnsr.rehearsal.staging import Unstaged
from nftnsr.spec.model import Blocklist, Filter, Inner, Router, Spec, Uplink

T = TypeVar("T")


def is_change(old: Spec, new: Spec) -> bool:
    """Whether the specs have a router in common, which no machine can have twice."""
    return not {r.name for r in old.routers}.isdisjoint(r.name for r in new.routers)


def merged(old: Spec, new: Spec) -> Spec:
    """Everybody of both specs."""
    pairs = {r.name: [r] for r in old.routers}
    for router in new.routers:
        pairs.setdefault(router.name, []).append(router)
    routers = (_router(pair[0], pair[-1]) for _, pair in sorted(pairs.items()))
    return Spec(tuple(routers))


def beginning(old: Spec, new: Spec) -> Spec:
    """What the host has before `old` is applied: the uplinks of both specs, as the first says."""
    known = {r.name for r in old.routers}
    first = (evolve(a, uplinks=_first(a.uplinks, b.uplinks)) for a, b in pairs(old, new))
    return _sorted((*first, *(r for r in new.routers if r.name not in known)))


def changed(old: Spec, new: Spec) -> Spec:
    """What holds once `new` is applied over `old`: routers that it does not name stay."""
    named = {r.name for r in new.routers}
    return _sorted((*new.routers, *(r for r in old.routers if r.name not in named)))


def pairs(old: Spec, new: Spec) -> Iterator[tuple[Router, Router]]:
    """Each router of `old`, and what it is once `new` is applied over it."""
    later = {router.name: router for router in new.routers}
    return ((router, later.get(router.name, router)) for router in old.routers)


def _sorted(routers: Iterable[Router]) -> Spec:
    return Spec(tuple(sorted(routers, key=lambda r: r.name)))


def _router(old: Router, new: Router) -> Router:
    return evolve(
        new,
        uplinks=tuple(_uplinks(old, new)),
        host=_link(old.host, new.host),
        inner=tuple(_links(old.inner, new.inner)),
        forward=_both(old.forward, new.forward),
        masquerade=old.masquerade and new.masquerade,
        one_to_one=_both(old.one_to_one, new.one_to_one),
        prefix_translation=_both(old.prefix_translation, new.prefix_translation),
        snat=_both(old.snat, new.snat),
        no_nat=_both(old.no_nat, new.no_nat),
        proxy_ndp=old.proxy_ndp or new.proxy_ndp,
        filter=_filter(old.filter, new.filter),
        routes=_both(old.routes, new.routes),
        neighbours=_both(old.neighbours, new.neighbours),
    )


def _first(old: tuple[Uplink, ...], new: tuple[Uplink, ...]) -> tuple[Uplink, ...]:
    known = {uplink.name for uplink in old}
    return (*old, *(uplink for uplink in new if uplink.name not in known))


def _uplinks(old: Router, new: Router) -> Iterator[Uplink]:
    later = {uplink.name: uplink for uplink in new.uplinks}
    for uplink in _first(old.uplinks, new.uplinks):
        other = later.get(uplink.name, uplink)
        if (uplink.dev, uplink.made) != (other.dev, other.made):
            raise Unstaged(
                f"the uplink of router {new.name} is {uplink.dev} and becomes {other.dev}: a "
                "change of the uplink itself cannot be rehearsed; rehearse the new spec alone"
            )
        yield evolve(
            other,
            addresses=_both(uplink.addresses, other.addresses),
            gateways=_both(uplink.gateways, other.gateways),
        )


def _links(old: Iterable[Inner], new: Iterable[Inner]) -> Iterator[Inner]:
    known = {link.name: link for link in old}
    later = {link.name: link for link in new}
    for name, link in sorted({**known, **later}.items()):
        yield _link(known.get(name, link), link)


def _link(old: Inner, new: Inner) -> Inner:
    return evolve(
        new,
        addresses=_both(old.addresses, new.addresses),
        router_addresses=_both(old.router_addresses, new.router_addresses),
        networks=_both(old.networks, new.networks),
    )


def _filter(old: Filter, new: Filter) -> Filter:
    lists: tuple[Blocklist, ...] = _both(old.blocklists, new.blocklists)
    return evolve(new, blocklists=lists, bogons=old.bogons or new.bogons)


def _both(old: tuple[T, ...], new: tuple[T, ...]) -> tuple[T, ...]:
    """Those of either; what they have in common comes first, since it is what stays."""
    common = tuple(each for each in old if each in new)
    return tuple(dict.fromkeys((*common, *old, *new)))
