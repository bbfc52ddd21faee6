"""A live router as a page: links with addresses, routes, forwards with their counters."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from nftnsr.report.words import address_words, item_words, link_words, route_words, rule_words
from nftnsr.state.model import Address, Link, Namespace, Neighbour, PolicyRule, Route
from nftnsr.state.ruleset import natural


@frozen
class Counted:
    """One element of a forward map: what it matches, where it leads, and how often it did.

    The map is asked once for each connection, so `packets` counts connections and `bytes` the
    bytes of their first packets.
    """

    map: str
    match: str
    target: str
    packets: int
    bytes: int


def status_text(name: str, space: Namespace | None, counted: tuple[Counted, ...]) -> str:
    """The page of one router; None where its namespace does not exist."""
    if space is None:
        return f"router {name}: not there (`nftnsr diff` says more)\n"
    lines = [f"router {name}:", *_links(space)]
    routes = [i for i in space.items if isinstance(i, Route)]
    lines += [f"  route {route_words(route)}" for route in routes]
    lines += [f"  rule {rule_words(i)}" for i in space.items if isinstance(i, PolicyRule)]
    lines += [f"  {item_words(i)}" for i in space.items if isinstance(i, Neighbour) and i.mac]
    proxies = [i for i in space.items if isinstance(i, Neighbour) and i.proxy]
    lines += [f"  answers for {n.address} on {n.dev}" for n in proxies]
    if counted:
        width = max(len(c.match) for c in counted)
        lines.append("  forwards:")
        lines += [
            f"    {c.match:<{width}} -> {c.target}  {c.packets} connections"
            for c in _sorted(counted)
        ]
    return "".join(f"{line}\n" for line in lines)


def status_json(
    name: str, space: Namespace | None, counted: tuple[Counted, ...]
) -> dict[str, object]:
    if space is None:
        return {"router": name, "exists": False}
    return {
        "router": name,
        "exists": True,
        "links": [
            {
                "name": link.name,
                "up": link.up,
                "mtu": link.mtu,
                "mac": link.mac,
                "addresses": [str(a.interface) for a in _addresses(space, link)],
            }
            for link in space.items
            if isinstance(link, Link)
        ],
        "routes": [route_words(i) for i in space.items if isinstance(i, Route)],
        "rules": [rule_words(i) for i in space.items if isinstance(i, PolicyRule)],
        "forwards": [
            {
                "map": c.map,
                "match": c.match,
                "target": c.target,
                "connections": c.packets,
                "bytes": c.bytes,
            }
            for c in _sorted(counted)
        ],
    }


def _links(space: Namespace) -> Iterator[str]:
    for link in space.items:
        if isinstance(link, Link) and link.name != "lo":
            yield f"  link {link.name} {' '.join(link_words(link))}"
            yield from (f"    {address_words(a)}" for a in _addresses(space, link))


def _addresses(space: Namespace, link: Link) -> list[Address]:
    return [i for i in space.items if isinstance(i, Address) and i.dev == link.name]


def _sorted(counted: tuple[Counted, ...]) -> list[Counted]:
    return sorted(counted, key=lambda c: (c.map, natural(c.match)))
