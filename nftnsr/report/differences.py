"""Differences between what is wanted and what is there, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TypeGuard, assert_never

from nftnsr.report.rulesets import Line, RulesetDifference, changed_lines, ruleset_lines
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
from nftnsr.state.model import HOST, RULESET, Address, Item, Link, Sysctl

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m"}
_PLAIN = "\x1b[0m"
_FIELDS = {"queue_length": "txqlen", "mac": "address", "called": "name"}
_FLAGS = {"up": ("down", "up"), "arp": ("arp off", "on"), "multicast": ("multicast off", "on")}


def differences_text(differences: Iterable[Difference], *, colour: bool = False) -> str:
    """`+` to add, `-` to remove, `~` to change, a block for each namespace.

    A ruleset is told as nft lists it: a blank for what only says where the others stand.
    """
    blocks = []
    for name, group in groupby(differences, lambda d: d.namespace):
        here = tuple(group)
        lines = [_line(d) for d in here if not _of_ruleset(d)]
        lines += ruleset_lines(d for d in here if _of_ruleset(d))
        shown = [_render(line, colour=colour) for line in lines]
        blocks.append("\n".join([f"{namespace_words(name)}:", *shown, ""]))
    return "\n".join(blocks)


def differences_json(differences: Iterable[Difference]) -> list[dict[str, object]]:
    """One object for each difference, as diff.schema.json says."""
    return [_json(each) for each in differences]


def kind_words(item: Item) -> str:
    """What kind of thing it is: `route`, `map` ..."""
    return str(item.key[0])


def kind_of(each: Difference) -> str:
    """What kind of thing differs: `route`, `map`, `namespace` ..."""
    match each:
        case Add(_, item) | Remove(_, item) | Change(_, _, item):
            return kind_words(item)
        case _:
            return "namespace"


def _json(each: Difference) -> dict[str, object]:
    sign, _, text = _line(each)
    entry: dict[str, object] = {
        "namespace": None if each.namespace == HOST else each.namespace,
        "action": {"+": "add", "-": "remove", "~": "change"}[sign],
        "kind": kind_of(each),
        "what": text,
        "found": None,
        "wanted": None,
    }
    if isinstance(each, Add | Remove | Change):
        found = each.old if isinstance(each, Change) else each.item
        wanted = each.new if isinstance(each, Change) else each.item
        entry["found"] = None if isinstance(each, Add) else item_words(found)
        entry["wanted"] = None if isinstance(each, Remove) else item_words(wanted)
    if _of_ruleset(each):
        entry["lines"] = [f"{sign} {text}" for sign, _, text in changed_lines(each) if sign != " "]
    return entry


def _of_ruleset(each: Difference) -> TypeGuard[RulesetDifference]:
    match each:
        case Add(_, item) | Remove(_, item) | Change(_, _, item):
            return isinstance(item, RULESET)
        case _:
            return False


def _line(each: Difference) -> Line:
    match each:
        case AddNamespace(name):
            return "+", 0, f"namespace {name}"
        case RemoveNamespace(name):
            return "-", 0, f"namespace {name}"
        case NameNamespace(name, path):
            return "~", 0, f"namespace {name}: it has lost its name, and lives on at {path}"
        case Add(_, item):
            return "+", 0, item_words(item)
        case Remove(_, item):
            return "-", 0, item_words(item)
        case Change(_, old, new):
            return "~", 0, _changed(old, new)
        case _:
            assert_never(each)


def _changed(old: Item, new: Item) -> str:
    match old, new:
        case Sysctl(), Sysctl():
            return f"sysctl {sysctl_name(new.path)} {old.value} -> {new.value}"
        case Link(), Link():
            pairs = changed_fields(old, new).items()
            return f"link {new.name}: {', '.join(_field(new, f, a, b) for f, (a, b) in pairs)}"
        case Address(missing=tuple() as gone), Address() if gone:
            without = f"{item_words(old)} without its route {', '.join(gone)}"
            return f"{without} -> {item_words(new)}"
        case _ if isinstance(new, RULESET):
            return item_words(new)
        case _:
            return f"{item_words(old)} -> {item_words(new)}"


def _field(link: Link, name: str, old: object, new: object) -> str:
    if name in _FLAGS:
        off, on = _FLAGS[name]
        return f"{off} -> {on}" if new else f"{off.replace('off', 'on')} -> off"
    word = _FIELDS.get(name, name)
    if (link.name, name) == ("lo", "alias"):
        word = "the mark of nftnsr, its alias,"
    return f"{word} {_value(old)} -> {_value(new)}"


def _value(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case ("bridge" | "bond" | "vrf" | "interface" as kind, str() as name):
            return f"{kind} {name}"
        case (str() as namespace, str() as name):
            return f"{name} in {namespace_words(namespace)}"
        case _:
            return str(value)


def _render(line: Line, *, colour: bool) -> str:
    sign, depth, text = line
    plain = f"  {sign} {'    ' * depth}{text}"
    return f"{_COLOURS[sign]}{plain}{_PLAIN}" if colour and sign in _COLOURS else plain
