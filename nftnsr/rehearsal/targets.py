"""Where the targets of a spec are: at the far ends of its inner links, or behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nftnsr.spec.model import Address, Inner, Network, Spec


def end_with(spec: Spec, target: Address) -> Inner | None:
    """The link at whose far end `target` is, because it is an address there, or can be no other.

    A veth has two ends, so what lies in its network and in no network behind the far end must be
    there itself.
    """
    links = [link for router in spec.routers for link in router.links]
    given = (link for link in links if any(target == i.ip for i in link.addresses))
    if (link := next(given, None)) is not None:
        return link
    if any(target in network for link in links for network in link.networks):
        return None
    near = (
        k for k in links if any(target in i.network for i in (*k.addresses, *k.router_addresses))
    )
    return next(near, None)


def unclaimed(spec: Spec, namespace: str | None) -> tuple[Address, ...]:
    """Targets in a veth's own network that the spec gives nobody, of the host or a namespace."""
    own = {i.ip for r in spec.routers for link in r.links for i in link.addresses}
    found = ((t, end_with(spec, t)) for t in targets(spec) if t not in own)
    return tuple(t for t, link in found if link is not None and link.namespace == namespace)


def elsewhere(spec: Spec, networks: Collection[Network]) -> Iterator[Address]:
    """Those that are nowhere by the spec."""
    for target in targets(spec):
        if end_with(spec, target) is None and not any(target in n for n in networks):
            yield target


def targets(spec: Spec) -> list[Address]:
    named = (t for r in spec.routers for f in r.forward for t in f.targets)
    found = {t.address for t in named if t.address is not None}
    return sorted(found | {p.inner for r in spec.routers for p in r.one_to_one}, key=str)
