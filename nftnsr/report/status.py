"""A live router as a page: links with addresses, routes, forwards with what came through them.

The page is made of tables whose cells have a text and perhaps a colour; here they become plain
text, in `report.screen` what a terminal shows.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from attrs import frozen

from nftnsr.report.usage import Usage
from nftnsr.report.words import item_words, route_words, rule_words
from nftnsr.state.model import HOST, Address, Link, Namespace, Neighbour, PolicyRule, Route

GOOD, DOUBTFUL, BAD, FAINT = "green", "yellow", "red", "dim"


@frozen
class Page:
    """All that there is to tell of a router; of one that is not there only the first three."""

    router: str
    differences: int | None
    """How many there are between the kernel and the spec; None where no spec is known."""
    applied: float | None
    """When an apply last succeeded in this boot, in seconds since the epoch."""
    space: Namespace | None = None
    host: Namespace = Namespace()  # noqa: RUF009 - frozen
    carriers: Collection[tuple[str, str]] = ()
    """(namespace, name) of the links that have a carrier."""
    usage: tuple[Usage, ...] = ()
    tracked: tuple[int, int] | None = None
    """How many flows connection tracking holds, and how many it can."""
    foreign: tuple[tuple[str, Namespace], ...] = ()
    """The namespaces of somebody else's that it has links to."""

    @property
    def spaces(self) -> tuple[tuple[str, Namespace], ...]:
        """All that it has something in, by name."""
        assert self.space is not None
        return ((self.router, self.space), (HOST, self.host), *self.foreign)


@frozen
class Cell:
    text: str
    colour: str | None = None


@frozen
class Table:
    """Columns of which those in `right` are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()


def title(page: Page, now: float) -> tuple[Cell, ...]:
    """The words of the first line."""
    if page.space is None:
        state = Cell("not there", BAD)
    elif page.differences is None:
        state = Cell("no spec in /etc/nftnsr tells what it should be", DOUBTFUL)
    elif page.differences:
        words = "1 difference" if page.differences == 1 else f"{page.differences} differences"
        state = Cell(f"{words} (nftnsr diff)", BAD)
    else:
        state = Cell("in sync", GOOD)
    return Cell(f"router {page.router}"), state, Cell(_applied(page.applied, now), FAINT)


def tables(page: Page) -> Iterator[Table]:
    if page.space is None:
        return
    yield Table(
        ("LINK", "STATE", "MTU", "MAC", "ADDRESSES"),
        tuple(row for name, space in page.spaces for row in _links(page, name, space)),
        frozenset({2}),
    )
    routes = tuple((Cell(t),) for name, space in page.spaces for t in _routes(page, name, space))
    if routes:
        yield Table(("ROUTES",), routes)
    if page.usage:
        columns = (0, 1, 2, 3, 4) if any(u.packets is not None for u in page.usage) else (0, 1, 2)
        head = ("FORWARD", "CONNECTIONS", "FLOWS", "PACKETS", "BYTES")
        rows = tuple(tuple(cells[c] for c in columns) for cells in map(_forward, page.usage))
        yield Table(tuple(head[c] for c in columns), rows, frozenset(columns[1:]))


def foot(page: Page) -> str:
    if page.tracked is None:
        return ""
    now, most = page.tracked
    flows = "1 flow" if now == 1 else f"{now} flows"
    return f"{flows} tracked, of {most} that can be ({100 * now / most:.0f} %)"


def status_text(page: Page, now: float) -> str:
    """The page of one router as plain text."""
    first, *rest = (cell.text for cell in title(page, now))
    lines = [f"{first}: {', '.join(word for word in rest if word)}"]
    for table in tables(page):
        lines += ["", *_plain(table)]
    lines += ["", f"  {last}"] if (last := foot(page)) else []
    return "".join(f"{line}\n" for line in lines)


def status_json(page: Page) -> dict[str, object]:
    """The document of one router; what is not known is null."""
    about: dict[str, object] = {
        "router": page.router,
        "exists": page.space is not None,
        "in_sync": None if page.differences is None else page.differences == 0,
        "differences": page.differences,
        "last_apply": page.applied,
    }
    if page.space is None:
        return about
    return about | {
        "links": [
            _link_json(page, name, space, i) for name, space in page.spaces for i in _own(space)
        ],
        "routes": [
            {"namespace": name or None, "route": route_words(i)}
            for name, space in page.spaces
            for i in space.items
            if isinstance(i, Route)
        ],
        "rules": [
            {"namespace": name or None, "rule": rule_words(i)}
            for name, space in page.spaces
            for i in space.items
            if isinstance(i, PolicyRule) and not i.by_kernel
        ],
        "proxied": [
            {"dev": i.dev, "address": str(i.address)}
            for i in page.space.items
            if isinstance(i, Neighbour) and i.proxy
        ],
        "forwards": [
            {
                "forward": u.forward,
                "name": u.name,
                "connections": u.connections,
                "packets": u.packets,
                "bytes": u.bytes,
                "flows": u.flows,
            }
            for u in page.usage
        ],
        "flows": None if page.tracked is None else page.tracked[0],
        "flows_max": None if page.tracked is None else page.tracked[1],
    }


def _link_json(page: Page, name: str, space: Namespace, link: Link) -> dict[str, object]:
    return {
        "namespace": name or None,
        "name": link.name,
        "up": link.up,
        "carrier": (name, link.name) in page.carriers,
        "mtu": link.mtu,
        "mac": link.mac,
        "addresses": [str(a.interface) for a in _addresses(space, link)],
    }


def _applied(when: float | None, now: float) -> str:
    if when is None:
        return ""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
    return f"applied {_ago(max(0, int(now - when)))} ({stamp})"


def _ago(seconds: int) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' * (number != 1)} ago"
    return f"{seconds} s ago"


def _links(page: Page, name: str, space: Namespace) -> Iterator[tuple[Cell, ...]]:
    for link in _own(space):
        mtu = "" if link.mtu is None else str(link.mtu)
        addresses = [str(a.interface) for a in _addresses(space, link)]
        first = (_at(page, name, link.name), _state(page, name, link), Cell(mtu))
        yield (*first, Cell(link.mac or "", FAINT), Cell("\n".join(addresses)))


def _state(page: Page, name: str, link: Link) -> Cell:
    if not link.up:
        return Cell("down", BAD)
    if (name, link.name) not in page.carriers:
        return Cell("no carrier", DOUBTFUL)
    return Cell("up", GOOD)


def _routes(page: Page, name: str, space: Namespace) -> Iterator[str]:
    for item in space.items:
        if isinstance(item, Route):
            words = route_words(item).removesuffix(f" proto {item.protocol}")
            yield _at(page, name, words).text
        elif isinstance(item, PolicyRule) and not item.by_kernel:
            yield _at(page, name, f"rule {rule_words(item)}").text
        elif isinstance(item, Neighbour) and item.proxy:
            yield f"answers for {item.address} on {item.dev}"
        elif isinstance(item, Neighbour):
            yield _at(page, name, item_words(item)).text


def _forward(usage: Usage) -> tuple[Cell, ...]:
    text = usage.forward if usage.name is None else f"{usage.name}: {usage.forward}"
    numbers = (str(usage.connections), str(usage.flows), f"{usage.packets or 0}")
    colour = None if usage.connections else FAINT
    return tuple(Cell(word, colour) for word in (text, *numbers, _size(usage.bytes or 0)))


def _size(octets: int) -> str:
    size = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{octets} B" if unit == "B" else f"{size:.1f} {unit}"


def _at(page: Page, name: str, words: str) -> Cell:
    return Cell(words if name == page.router else f"{name or 'host'}: {words}")


def _own(space: Namespace) -> Iterator[Link]:
    """The uplink first, then the ends of veths."""
    links = [i for i in space.items if isinstance(i, Link) and i.name != "lo"]
    return iter(sorted(links, key=lambda link: link.peer is not None))


def _addresses(space: Namespace, link: Link) -> list[Address]:
    return [i for i in space.items if isinstance(i, Address) and i.dev == link.name]


def _plain(table: Table) -> Iterator[str]:
    """The lines of a table, its columns as wide as they must be."""
    rows = [tuple(map(Cell, table.head)), *table.rows]
    lines = [line for row in rows for line in _lines(row)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(table.head))]
    for line in lines:
        cells = (
            word.rjust(width) if column in table.right else word.ljust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        )
        yield f"  {'  '.join(cells)}".rstrip()


def _lines(row: tuple[Cell, ...]) -> list[tuple[str, ...]]:
    """A row, whose cells may hold several lines, as rows of one line each."""
    cells = [cell.text.split("\n") for cell in row]
    height = max(map(len, cells))
    return [tuple(c[n] if n < len(c) else "" for c in cells) for n in range(height)]
