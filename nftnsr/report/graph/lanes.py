"""What passes through a router, as few arrows: forwards to one server share one, many are cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from attrs import evolve, frozen

from nftnsr.compile.families import families, family
from nftnsr.spec.model import Address, Forward, Network, Ports, Router

Kind = Literal["forward", "more", "open", "outward"]

_MOST: Final = 12  # arrows for the forwards of one router
_WIDE: Final = 22  # characters of a line of ports


@frozen
class Lane:
    """One arrow between the internet and a place behind the router.

    `place` is the network behind the host that it leads to, None for the host itself. `label` is
    what is asked for on the public side, `notes` what the router does or demands on the way, and
    `target` what is reached at the place; each element of a tuple is a line.
    """

    kind: Kind
    label: tuple[str, ...]
    notes: tuple[str, ...] = ()
    place: Network | None = None
    target: str = ""


def lanes(router: Router) -> tuple[Lane, ...]:
    """All arrows of a router: the host's, those of each network in its order, what was cut."""
    places: list[Network | None] = [None, *router.host.networks]
    found = [*_forwards(router), *_open(router), *_outward(router)]
    return tuple(sorted(found, key=lambda lane: (lane.kind == "more", places.index(lane.place))))


def _forwards(router: Router) -> Iterator[Lane]:
    groups = _grouped(router.forward, router)
    if len(groups) > _MOST:
        # What tells forwards to one server apart is left out before any server is.
        plain = (evolve(f, name=None, target_port=None) for f in router.forward)
        groups = _grouped(plain, router)
    shown = groups if len(groups) <= _MOST else groups[: _MOST - 1]
    yield from (_lane(router, group) for group in shown)
    if rest := groups[len(shown) :]:
        number = sum(len(group) for group in rest)
        servers = len({group[0].target for group in rest})
        words = f"to {servers} more servers" if servers > 1 else "to one more server"
        yield Lane("more", (f"{number} more forwards",), (words,))


def _grouped(forwards: Iterable[Forward], router: Router) -> list[list[Forward]]:
    """Forwards that differ in nothing but the ports that are asked for, the host's first."""
    groups: dict[object, list[Forward]] = {}
    for each in forwards:
        key = (_target(each, router), each.target_port, each.sources, each.hairpin, each.name)
        groups.setdefault(key, []).append(each)
    return sorted(groups.values(), key=lambda group: _target(group[0], router) is not None)


def _target(forward: Forward, router: Router) -> Address | None:
    """The server's address, None for the host however it is written."""
    own = [i.ip for i in router.host.addresses]
    return None if forward.target in own else forward.target


def _lane(router: Router, group: Sequence[Forward]) -> Lane:
    first = group[0]
    target = _target(first, router)
    port = "" if first.target_port is None else f":{first.target_port}"
    address = "" if target is None else f"[{target}]" if port and target.version == 6 else target
    return Lane(
        "forward", ports_lines(group), tuple(_notes(router, first)),
        _place(router, target), f"{address}{port}",
    )  # fmt: skip


def _notes(router: Router, forward: Forward) -> Iterator[str]:
    if forward.name is not None:
        yield shortened(forward.name)
    if forward.sources:
        yield f"from {listed([str(n) for n in forward.sources])}"
    if router.hairpin and not forward.hairpin:
        yield "from outside only"


def _place(router: Router, target: Address | None) -> Network | None:
    return next((n for n in router.host.networks if target is not None and target in n), None)


def _open(router: Router) -> Iterator[Lane]:
    """What comes in over IPv6 for the host's own addresses, untranslated."""
    each = family(router, 6)
    if each is None or not each.open:
        return
    own = listed([str(n.network_address) for n in each.open])
    if router.inbound_ipv6 == "open" or not router.forward_filter:
        yield Lane("open", ("IPv6, all ports",), ("untranslated",), target=own)
        return
    named = [f for f in router.forward if f.target is None and f.target_port is None]
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
            notes.append(f"IPv4 leaves as {listed([str(i.ip) for i in each.public[:1]])}")
        else:
            notes.append(f"IPv{each.version} leaves as it is")
    if notes:
        behind = ("from the host", "and behind it") if router.host.networks else ("from the host",)
        yield Lane("outward", behind, tuple(notes))


def ports_lines(forwards: Iterable[Forward]) -> tuple[str, ...]:
    """`22, 80, 8000-8009/tcp`: a line for each protocol, neighbours joined, many cut."""
    by_protocol: dict[str, list[Ports]] = {}
    for each in forwards:
        by_protocol.setdefault(each.protocol, []).append(each.ports)
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
