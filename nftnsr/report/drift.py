"""The answer of `nftnsr diff`, for people and, as diff.schema.json says, for programs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from nftnsr.report.differences import differences_json, kind_words
from nftnsr.report.words import item_words, namespace_words, route_words
from nftnsr.state.difference import Difference
from nftnsr.state.model import Item, Table
from nftnsr.state.unmanaged import Unmanaged

VERSION = 1
"""Of the document: it grows with what is taken away or means something else, not with additions."""


def drift_json(
    differences: Iterable[Difference],
    foreign: Iterable[Unmanaged],
    *,
    same: bool,
    obstacles: Iterable[str],
    unfinished: str | None,
    changing: str | None,
) -> dict[str, object]:
    return {
        "version": VERSION,
        "same": same,
        "differences": differences_json(differences),
        "unmanaged": [_json(each) for each in foreign],
        "obstacles": list(obstacles),
        "unfinished": unfinished,
        "changing": changing,
    }


def unmanaged_text(foreign: Iterable[Unmanaged]) -> str:
    """What is not nftnsr's, a block for each namespace."""
    blocks = []
    for name, group in groupby(foreign, lambda each: each.namespace):
        lines = [f"    {_words(each.item)}{_before(each)}\n" for each in group]
        blocks.append(f"{namespace_words(name)}, unmanaged:\n{''.join(lines)}")
    return "\n".join(blocks)


def _json(each: Unmanaged) -> dict[str, object]:
    return {
        "namespace": each.namespace,
        "kind": kind_words(each.item),
        "what": _words(each.item),
        "before": None if each.before is None else route_words(each.before),
    }


def _words(item: Item) -> str:
    hooks = f" ({', '.join(item.lines)})" if isinstance(item, Table) and item.lines else ""
    return f"{item_words(item)}{hooks}"


def _before(each: Unmanaged) -> str:
    return "" if each.before is None else f" (goes before {route_words(each.before)})"
