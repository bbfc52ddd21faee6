"""Differences between what is wanted and what is there, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import groupby
from typing import assert_never

from nftnsr.report.words import item_words, namespace_words, sysctl_name
from nftnsr.state.difference import (
    Add,
    AddNamespace,
    Change,
    Difference,
    NameNamespace,
    Remove,
    RemoveNamespace,
    changed_fields,
)
from nftnsr.state.model import HOST, Chain, Item, Link, Set, Sysctl, Table
from nftnsr.state.ruleset import natural

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m"}
_PLAIN = "\x1b[0m"
_FIELDS = {"queue_length": "txqlen", "mac": "address", "peer": "peer", "called": "name"}

Line = tuple[str, int, str]  # sign, depth, text


def differences_text(differences: Iterable[Difference], *, colour: bool = False) -> str:
    """`+` to add, `-` to remove, `~` to change, a block for each namespace."""
    blocks = []
    for name, group in groupby(differences, lambda d: d.namespace):
        lines = [_render(line, colour=colour) for each in group for line in _lines(each)]
        blocks.append("\n".join([f"{namespace_words(name)}:", *lines, ""]))
    return "\n".join(blocks)


def differences_json(differences: Iterable[Difference]) -> list[dict[str, object]]:
    """One object for each difference: namespace, action, kind, what; `lines` for rulesets."""
    return [_json(each) for each in differences]


def kind_of(each: Difference) -> str:
    """What kind of thing differs: `route`, `map`, `namespace` ..."""
    match each:
        case Add(_, item) | Remove(_, item) | Change(_, _, item):
            return str(item.key[0])
        case _:
            return "namespace"


def _json(each: Difference) -> dict[str, object]:
    sign, _, text = next(_lines(each))
    entry: dict[str, object] = {
        "namespace": None if each.namespace == HOST else each.namespace,
        "action": {"+": "add", "-": "remove", "~": "change"}[sign],
        "kind": kind_of(each),
        "what": text,
    }
    if isinstance(each, Add | Remove | Change):
        lines = [f"{sign} {text}" for sign, depth, text in _lines(each) if depth]
        if lines:
            entry["lines"] = lines
    return entry


def _lines(each: Difference) -> Iterator[Line]:
    match each:
        case AddNamespace(name):
            yield "+", 0, f"namespace {name}"
        case RemoveNamespace(name):
            yield "-", 0, f"namespace {name}"
        case NameNamespace(name, path):
            yield "~", 0, f"namespace {name}: it has lost its name, and lives on at {path}"
        case Add(_, item):
            yield "+", 0, item_words(item)
            yield from (("+", 1, line) for line in _block(item))
        case Remove(_, item):
            yield "-", 0, item_words(item)
            yield from (("-", 1, line) for line in _block(item))
        case Change(_, old, new):
            yield from _changed(old, new)
        case _:
            assert_never(each)


def _changed(old: Item, new: Item) -> Iterator[Line]:
    match old, new:
        case Sysctl(), Sysctl():
            yield "~", 0, f"sysctl {sysctl_name(new.path)} {old.value} -> {new.value}"
        case Chain(), Chain():
            yield "~", 0, item_words(new)
            yield from _rules((old.hook, *old.rules), (new.hook, *new.rules))
        case Set(), Set():
            yield "~", 0, item_words(new)
            yield from _rules(old.lines, new.lines)
            gone, come = old.elements - new.elements, new.elements - old.elements
            yield from (("-", 1, e) for e in sorted(gone, key=natural))
            yield from (("+", 1, e) for e in sorted(come, key=natural))
        case (Table(), Table()):
            yield "~", 0, item_words(new)
            yield from _rules(old.lines, new.lines)
        case Link(), Link():
            pairs = changed_fields(old, new).items()
            words = [f"{_FIELDS.get(f, f)} {_value(a)} -> {_value(b)}" for f, (a, b) in pairs]
            yield "~", 0, f"link {new.name}: {', '.join(words)}"
        case _:
            yield "~", 0, f"{item_words(old)} -> {item_words(new)}"


def _rules(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Line]:
    """Only the lines that differ; those that stay show nothing that anybody must read."""
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from (("-", 1, line) for line in old[a:b])
            yield from (("+", 1, line) for line in new[c:d])


def _block(item: Item) -> list[str]:
    match item:
        case Chain():
            return [*([item.hook] if item.hook else []), *item.rules]
        case Set():
            return [*item.lines, *sorted(item.elements, key=natural)]
        case Table():
            return list(item.lines)
        case _:
            return []


def _value(value: object) -> str:
    match value:
        case None:
            return "none"
        case True | False:
            return "yes" if value else "no"
        case (str() as namespace, str() as name):
            return f"{name} in {namespace_words(namespace)}"
        case tuple():
            return " ".join(str(v) for v in value)
        case _:
            return str(value)


def _render(line: Line, *, colour: bool) -> str:
    sign, depth, text = line
    plain = f"  {'    ' * depth}{sign} {text}"
    return f"{_COLOURS[sign]}{plain}{_PLAIN}" if colour else plain
