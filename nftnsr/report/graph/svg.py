"""The picture as SVG: columns for the internet, the namespaces, the host, and what is behind it.

The upper part of a router's band has the interfaces, the lower one its arrows, each on a line of
its own across all columns that its packets pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from attrs import frozen

from nftnsr.report.graph.facts import Drawn, End, description
from nftnsr.report.graph.ink import (
    LINE,
    NOTE,
    TITLE,
    Anchor,
    arrow,
    box,
    line,
    style,
    widest,
    width,
    words,
)
from nftnsr.report.graph.lanes import Far, Lane, Place, shortened

_MARGIN: Final = 16
_PAD: Final = 12
_INTERNET: Final = 84  # width of its column
_HEAD: Final = 34  # of a box with a title
_GAP: Final = 22  # between bands, and between networks


@frozen
class Columns:
    """Where the columns begin and end; without a network the last one is empty."""

    internet: tuple[float, float]
    space: tuple[float, float]
    host: tuple[float, float]
    networks: tuple[float, float]

    @property
    def right(self) -> float:
        return self.networks[1] + (_PAD if self.networks[1] > self.networks[0] else 0)


def svg(routers: Sequence[Drawn]) -> str:
    columns = _columns(routers)
    top = float(_MARGIN + _HEAD + _PAD)
    marks: list[str] = []
    y = top
    for router in routers:
        marks += _band(router, columns, y)
        y += _height(router) + _GAP
    bottom = y - _GAP
    wide, high = columns.right + 2 * _MARGIN, bottom + _PAD + _MARGIN
    title = f"Router{'s' if len(routers) > 1 else ''} {', '.join(r.name for r in routers)}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="nftnsr" role="img" '
            f'aria-label="{escape(title)}" viewBox="0 0 {wide:.0f} {high:.0f}" '
            f'width="{wide:.0f}" height="{high:.0f}">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description(routers))}</desc>",
            f"<style>\n{style()}</style>",
            box(0, 0, wide, high, "page", 0),
            *_backdrop(columns, bottom),
            *_host(columns, routers, top),
            *marks,
            "</svg>\n",
        )
    )


def _columns(routers: Sequence[Drawn]) -> Columns:
    lanes = [lane for router in routers for lane in router.lanes]
    before = widest(
        [*(w for lane in lanes for w in lane.label if lane.kind != "outward"),
         *(g for r in routers for each in r.uplinks for g in each.gateways)]
    )  # fmt: skip
    host = widest(
        [*(w for r in routers for w in (r.host.name, *r.host.lines)),
         *(lane.target for lane in lanes if lane.place is None)]
    )  # fmt: skip
    behind = widest(
        [*(w for r in routers for w in (*r.quiet, *map(str, r.busy))),
         *(w for r in routers for each in r.further for w in each.lines),
         *(lane.target for lane in lanes if lane.place)]
    )  # fmt: skip
    behind = max(behind, widest((far.name for r in routers for far in r.further), TITLE))
    internet = (_MARGIN, float(_MARGIN + _INTERNET))
    left = internet[1] + max(before, 90) + 3 * _PAD
    right = left + _space_width(routers)
    near = right + 4 * _PAD
    far = near + max(host, width("and behind it", NOTE)) + 3 * _PAD
    last = (far + 2 * _PAD, far + 4 * _PAD + behind) if behind else (far, far)
    return Columns(internet, (left, right), (near, far), last)


def _space_width(routers: Sequence[Drawn]) -> float:
    """What the titles, cards and notes of the namespaces need."""
    cards = widest(
        w
        for r in routers
        for end in (*(each.end for each in r.uplinks), r.router)
        for w in (end.name, *end.lines)
    )
    notes = [w for r in routers for lane in r.lanes for w in lane.notes]
    notes += [w for r in routers for w in r.duties]
    text = max(widest(map(_title, routers), TITLE), widest(notes, NOTE))
    return max(cards + 4 * _PAD, text + 2 * _PAD)


def _title(router: Drawn) -> str:
    return f"namespace {shortened(router.name)}"


def _backdrop(columns: Columns, bottom: float) -> Iterator[str]:
    """The boxes that all routers share: the internet, this machine, its host."""
    inner = columns.space[0] - _PAD
    high = bottom - _MARGIN
    yield box(inner, _MARGIN, columns.right + _MARGIN - inner, high + _PAD, "machine", 12)
    yield words(columns.space[0], _MARGIN + 21, "this machine", "note")
    left, right = columns.internet
    y = _MARGIN + _HEAD + _PAD - 2
    yield box(left, y, right - left, bottom - y, "box", 12)
    yield words((left + right) / 2, y + 23, "internet", "title", "middle")


def _host(columns: Columns, routers: Sequence[Drawn], top: float) -> Iterator[str]:
    """The box of the host, which ends where a router's further links begin."""
    left, right = columns.host
    begin, y = top - 2, top
    for number, router in enumerate(routers, 1):
        if router.further or number == len(routers):
            end = y + _upper(router) + _near(router) + (0 if router.further else _PAD)
            yield box(left, begin, right - left, end - begin, "box")
            begin = y + _height(router) + _GAP
        y += _height(router) + _GAP
    yield words(left + _PAD, top + 21, "host", "title")


def _height(router: Drawn) -> float:
    return (
        _upper(router) + _near(router) + sum(_far_height(router, f) for f in router.further) + _PAD
    )


def _near(router: Drawn) -> float:
    """What the arrows take that lead to the host, and behind it."""
    places = len(router.busy) * (_HEAD + _PAD) + bool(router.busy) * _PAD
    return places + sum(_lane_height(e) for e in router.lanes if not isinstance(e.place, Far))


def _far_height(router: Drawn, far: Far) -> float:
    """The box of a further link's far end, with a gap above it."""
    arrows = sum(_lane_height(lane) for lane in router.lanes if lane.place == far)
    return _PAD + _HEAD + len(far.lines) * LINE + arrows


def _upper(router: Drawn) -> float:
    """Down to the first arrow: the uplinks' cards, and below them the longest column."""
    longest = max(
        _end_height(router.router) + len(router.duties) * LINE + _PAD + 6,
        _end_height(router.host),
        len(router.quiet) * (_HEAD + _PAD),
    )
    cards = sum(_end_height(each.end) + _PAD for each in router.uplinks)
    return _HEAD + cards + longest


def _end_height(end: End) -> float:
    return (1 + len(end.lines)) * LINE + _PAD


def _lane_height(lane: Lane) -> float:
    above = max(len(lane.notes), len(lane.label))
    return above * (LINE - 3) + 20


def _band(router: Drawn, columns: Columns, y: float) -> Iterator[str]:
    left, right = columns.space
    yield box(left, y, right - left, _height(router), "space")
    yield words(left + _PAD, y + 23, _title(router), "title")
    yield from _interfaces(router, columns, y + _HEAD)
    y += _upper(router)
    place: Place | None = None
    for lane in router.lanes:
        if isinstance(lane.place, Far):
            continue
        if lane.place is not None and lane.place != place:
            place = lane.place
            y += _PAD
            yield from _network(router, lane, columns, y)
            y += _HEAD
        elif lane.place != place:
            y += _PAD  # clear of the last network's box
        y += _lane_height(lane)
        yield from _arrow(lane, columns, y - 12)
    y += _PAD * bool(place is not None)
    for far in router.further:
        yield from _further(router, far, columns, y + _PAD)
        y += _far_height(router, far)


def _further(router: Drawn, far: Far, columns: Columns, y: float) -> Iterator[str]:
    """The far end of a further link beside the host, and the arrows that lead to it."""
    left, edge = columns.networks
    yield line(columns.space[1], y + 17, left, "wire")
    yield words((columns.space[1] + columns.host[0]) / 2, y + 11, "veth", "note", "middle")
    yield box(left, y, edge - left, _far_height(router, far) - _PAD, "box")
    yield words(left + _PAD, y + 21, far.name, "title")
    for number, each in enumerate(far.lines, 1):
        yield words(left + _PAD, y + 21 + number * LINE, each)
    y += _HEAD + len(far.lines) * LINE
    for lane in router.lanes:
        if lane.place == far:
            y += _lane_height(lane)
            yield from _arrow(lane, columns, y - 12)


def _interfaces(router: Drawn, columns: Columns, y: float) -> Iterator[str]:
    """The uplinks at the left edge of their namespace, the veth pair from the right edge."""
    left, right = columns.space
    for each in router.uplinks:
        wire = y + 17
        yield line(columns.internet[1], wire, left, "wire")
        yield words((columns.internet[1] + left) / 2, y + 11, "uplink", "note", "middle")
        for number, gateway in enumerate(each.gateways, 1):
            yield words(columns.internet[1] + _PAD, wire + number * LINE, gateway, "quiet")
        yield from _card(each.end, left, y, right - _PAD * 2 - left)
        y += _end_height(each.end) + _PAD
    yield line(right, y + 17, columns.host[0], "wire")
    yield words((right + columns.host[0]) / 2, y + 11, "veth", "note", "middle")
    yield from _card(router.router, left + _PAD * 2, y, right - _PAD * 2 - left)
    yield from _card(router.host, columns.host[0], y, columns.host[1] - columns.host[0] - _PAD)
    below = y + _end_height(router.router) + _PAD
    for number, duty in enumerate(router.duties):
        yield words(left + _PAD, below + 12 + number * LINE, duty, "note")
    for number, network in enumerate(router.quiet):
        at = y + number * (_HEAD + _PAD)
        far, edge = columns.networks
        yield line(columns.host[1], at + 17, far, "thin")
        yield box(far, at, edge - far, _HEAD, "box")
        yield words(far + _PAD, at + 22, network, "quiet")


def _card(end: End, x: float, y: float, wide: float) -> Iterator[str]:
    yield box(x, y, wide, _end_height(end), "box", 4)
    yield words(x + _PAD, y + 21, end.name, "title")
    for number, each in enumerate(end.lines, 1):
        yield words(x + _PAD, y + 21 + number * LINE, each)


def _network(router: Drawn, lane: Lane, columns: Columns, y: float) -> Iterator[str]:
    inside = [each for each in router.lanes if each.place == lane.place]
    far, edge = columns.networks
    yield box(far, y, edge - far, _HEAD + sum(map(_lane_height, inside)), "box")
    yield words(far + _PAD, y + 22, str(lane.place), "quiet")


def _arrow(lane: Lane, columns: Columns, y: float) -> Iterator[str]:
    outer, inner = columns.internet[1], columns.host[0]
    end = columns.networks[0] if lane.place else inner
    left, right = columns.space
    if lane.kind == "outward":
        yield arrow(inner, y, outer, lane.kind)
        yield from _above(inner + _PAD, y + 12, lane.label, "note")
    else:
        yield arrow(outer, y, end, lane.kind)
        yield from _above(outer + _PAD, y, lane.label)
        if lane.target:
            yield words(end + _PAD, y + 5, lane.target)
    yield from _above((left + right) / 2, y, lane.notes, "note", "middle")


def _above(
    x: float, y: float, lines: Sequence[str], kind: str = "", anchor: Anchor = "start"
) -> Iterator[str]:
    for number, each in enumerate(reversed(lines)):
        yield words(x, y - 7 - number * (LINE - 3), each, kind, anchor)
