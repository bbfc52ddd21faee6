"""What passes through a router, as few arrows: forwards to one server share one, many are cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from attrs import evolve, frozen

from nftnsr.compile.families import families, family
from nftnsr.spec.model import (
    Address,
    Forward,
    Inner,
    Network,
    Ports,
    PrefixPair,
    Router,
    Service,
    Target,
)

Kind = Literal["forward", "more", "open", "outward"]

_MOST: Final = 12  # arrows for the forwards of one router
_SPECIAL: Final = 4  # lines of networks that leave as others than the rest
_WIDE: Final = 22  # characters of a line of ports


@frozen
class Far:
    """The far end of a further inner link, and what is behind it."""

    name: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


Place = Network | Far


@frozen
class Lane:
    """One arrow between the internet and a place behind the router.

    `place` is what it leads to, None for the host itself. `label` is
    what is asked for on the public side, `notes` what the router does or demands on the way, and
    `target` what is reached at the place; each element of a tuple is a line.
    """

    kind: Kind
    label: tuple[str, ...]
    notes: tuple[str, ...] = ()
    place: Place | None = None
    target: str = ""


def lanes(router: Router) -> tuple[Lane, ...]:
    """All arrows of a router: the host's, those of each network in its order, what was cut, and
    those of the further links.
    """
    places: list[Place | None] = [None, *router.host.networks]
    further: list[Place | None] = [far(link) for link in router.inner]
    found = [*_forwards(router), *_wholes(router), *_open(router), *_outward(router)]

    def rank(lane: Lane) -> tuple[bool, bool, int]:
        beyond = isinstance(lane.place, Far)
        return beyond, lane.kind == "more", (further if beyond else places).index(lane.place)

    return tuple(sorted(found, key=rank))


def far(link: Inner) -> Far:
    of = "the host" if link.namespace is None else f"namespace {shortened(link.namespace)}"
    behind = (f"behind it {network}" for network in link.networks)
    return Far(f"{link.interface} of {of}", (*map(str, link.addresses), *behind))


def _forwards(router: Router) -> Iterator[Lane]:
    translating = [f for f in router.forward if f.nat]
    groups = _grouped(translating, router)
    if len(groups) > _MOST:
        # What tells forwards to one server apart is left out before any server is.
        plain = (evolve(f, name=None, targets=_without_ports(f)) for f in translating)
        groups = _grouped(plain, router)
    shown = groups if len(groups) <= _MOST else groups[: _MOST - 1]
    yield from (_lane(router, group) for group in shown)
    if rest := groups[len(shown) :]:
        number = sum(len(group) for group in rest)
        servers = len({_without_ports(group[0]) for group in rest})
        words = f"to {servers} more servers" if servers > 1 else "to one more server"
        yield Lane("more", (f"{number} more forwards",), (words,))


def _grouped(forwards: Iterable[Forward], router: Router) -> list[list[Forward]]:
    """Forwards that differ in nothing but the ports that are asked for, the host's first."""
    groups: dict[object, list[Forward]] = {}
    for each in forwards:
        key = evolve(each, ports=(), protocols=(), targets=_targets(each, router))
        groups.setdefault(key, []).append(each)
    return sorted(groups.values(), key=lambda g: _targets(g[0], router)[0].address is not None)


def _targets(forward: Forward, router: Router) -> tuple[Target, ...]:
    """The servers, the host as itself however it is written."""
    own = [i.ip for i in router.host.addresses]
    return tuple(evolve(t, address=None) if t.address in own else t for t in forward.targets)


def _without_ports(forward: Forward) -> tuple[Target, ...]:
    return tuple(evolve(target, ports=None) for target in forward.targets)


def _lane(router: Router, group: Sequence[Forward]) -> Lane:
    first = group[0]
    targets = _targets(first, router)
    return Lane(
        "forward", ports_lines(group), tuple(_notes(router, first)),
        _place(router, targets[0].address), listed([_words(target) for target in targets]),
    )  # fmt: skip


def _words(target: Target) -> str:
    """An IPv6 address needs its brackets only before a port."""
    return target.text if target.ports is not None else str(target.address or "")


def _notes(router: Router, forward: Forward) -> Iterator[str]:
    if forward.name is not None:
        yield shortened(forward.name)
    if forward.addresses:
        yield f"at {listed([str(ip) for ip in forward.addresses])}"
    if forward.sources:
        yield f"from {listed([str(n) for n in forward.sources])}"
    if forward.limit is not None:
        yield f"at most {forward.limit.rate}"
    if forward.hide_client:
        yield "as the router"
    if forward.synproxy:
        yield "SYN proxy"
    if router.hairpin and not forward.hairpin:
        yield "from outside only"


def _wholes(router: Router) -> Iterator[Lane]:
    """Whole addresses and prefixes, which lead inside and out again."""
    for pair in router.one_to_one:
        place = _place(router, pair.inner)
        yield Lane("forward", (f"all of {pair.public}",), ("both ways",), place, f"{pair.inner}")
    for prefix in router.prefix_translation:
        yield from _prefix(router, prefix)


def _prefix(router: Router, pair: PrefixPair) -> Iterator[Lane]:
    """An arrow to every network that a prefix stands for, or for a part of which."""
    inside: list[Place] = [n for n in router.host.networks if n.overlaps(pair.inner)]
    inside += [far(k) for k in router.inner if any(n.overlaps(pair.inner) for n in k.networks)]
    for place in inside or (None,):
        part: Network = pair.inner
        if isinstance(place, Network) and place.prefixlen > part.prefixlen:
            part = place
        public = f"{pair.outer(part.network_address)}/{part.prefixlen}"
        what = "" if part == place else str(part)
        yield Lane("forward", (public,), ("both ways",), place, what)


def _place(router: Router, target: Address | None) -> Place | None:
    if target is None:
        return None
    for link in router.inner:
        own = any(target == i.ip for i in link.addresses)
        if own or any(target in network for network in link.networks):
            return far(link)
    return next((n for n in router.host.networks if target in n), None)


def _open(router: Router) -> Iterator[Lane]:
    """What comes in over IPv6, untranslated: for networks that are open, for the host itself."""
    each = family(router, 6)
    if each is None:
        return
    for group in _grouped((f for f in router.forward if not f.nat), router):
        notes = ("untranslated", *_notes(router, group[0]))
        yield evolve(_lane(router, group), kind="open", notes=notes)
    for network in router.filter.inbound if router.forward_filter else ():
        place = _place(router, network.network_address)
        what = "" if network == place else str(network)
        yield Lane("open", ("IPv6, all ports",), ("untranslated",), place, what)
    if not each.open:
        return
    own = listed([str(n.network_address) for n in each.open])
    if router.inbound_ipv6 == "open" or not router.forward_filter:
        yield Lane("open", ("IPv6, all ports",), ("untranslated",), target=own)
        return
    named = [f for f in router.forward if f.nat and f.to_host and not f.addresses]
    ports = ports_lines([f for f in named if not f.sources or _has_ipv6(f)])
    yield Lane("open", ("IPv6: ping", *ports), ("untranslated",), target=own)


def _has_ipv6(forward: Forward) -> bool:
    return any(n.version == 6 for n in forward.sources)


def _outward(router: Router) -> Iterator[Lane]:
    """What leaves for the internet, and as whom."""
    notes = []
    for each in families(router):
        if not each.routed:
            continue
        if each.version == 4 and router.masquerade:
            firsts = [i.ip for uplink in router.uplinks for i in each.on(uplink).public[:1]]
            notes.append(f"IPv4 leaves as {' or '.join(map(str, firsts))}")
        else:
            notes.append(f"IPv{each.version} leaves as it is")
    special = [f"{nat.network} as {nat.pool}" for nat in router.snat]
    if len(special) > _SPECIAL:
        special[_SPECIAL - 1 :] = [f"and {len(special) - _SPECIAL + 1} more networks as others"]
    notes += special
    if router.no_nat:
        notes.append(f"untranslated to {listed([str(n) for n in router.no_nat])}")
    if notes:
        behind = ["and behind it"] if router.host.networks else []
        behind = ["and all inside"] if router.inner else behind
        yield Lane("outward", ("from the host", *behind), tuple(notes))


def ports_lines(forwards: Iterable[Forward | Service]) -> tuple[str, ...]:
    """`22, 80, 8000-8009/tcp`: a line for each protocol, neighbours joined, many cut."""
    by_protocol: dict[str, list[Ports]] = {}
    for each in forwards:
        for protocol in each.protocols:
            by_protocol.setdefault(protocol, []).extend(each.ports)
    return tuple(
        f"{listed([str(p) for p in _joined(ports)])}/{protocol}"
        for protocol, ports in sorted(by_protocol.items())
    )


def _joined(ports: Iterable[Ports]) -> list[Ports]:
    joined: list[Ports] = []
    for each in sorted(ports, key=lambda p: p.first):
        if joined and each.first <= joined[-1].last + 1:
            joined[-1] = Ports(joined[-1].first, max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return joined


def listed(words: Sequence[str]) -> str:
    """The words with commas, as many as a line has room for; at least the first."""
    shown = 1
    while shown < len(words) and len(", ".join(words[: shown + 1])) <= _WIDE:
        shown += 1
    rest = len(words) - shown
    return ", ".join(words[:shown]) + (f", +{rest}" if rest else "")


def shortened(text: str) -> str:
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"
