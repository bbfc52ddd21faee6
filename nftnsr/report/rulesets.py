"""How a ruleset differs, in nft's own syntax: only what differs, and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from nftnsr.state.difference import Add, Change, Difference, Remove
from nftnsr.state.model import Block, Chain, Item, Rule_, Set, Table
from nftnsr.state.ruleset import natural, table_of

Line = tuple[str, int, str]  # sign (a blank for what is there and as wanted), depth, text

RulesetDifference = Add | Remove | Change

_MORE = "..."


def ruleset_lines(differences: Iterable[RulesetDifference]) -> Iterator[Line]:
    """The differences of the rulesets of one namespace, table by table."""
    differences = tuple(differences)
    for family, name in dict.fromkeys(table_of(_rule(d)) for d in differences):
        here = [d for d in differences if table_of(_rule(d)) == (family, name)]
        own = [d for d in here if isinstance(_rule(d), Table)]
        sign = _sign(own[0]) if own else " "
        yield sign, 0, f"table {family} {name} {{"
        for each in own:
            yield from _nested(changed_lines(each))
        for each in (d for d in here if d not in own):
            yield from _nested(_block(each))
        yield sign, 0, "}"


def changed_lines(each: Difference) -> Iterator[Line]:
    """The lines inside one table, chain, set or map that differ, with their neighbours."""
    match each:
        case Add(_, item):
            return (("+", 0, line) for line in _body(item))
        case Remove(_, item):
            return (("-", 0, line) for line in _body(item))
        case Change(_, Chain() as old, Chain() as new):
            return _between(_body(old), _body(new))
        case Change(_, Set() as old, Set() as new):
            return _elements(old, new)
        case Change(_, old, new):
            return _between(_body(old), _body(new))
        case _:
            return iter(())


def _block(each: RulesetDifference) -> Iterator[Line]:
    item, sign = _rule(each), _sign(each)
    assert not isinstance(item, Table)
    kind = "chain" if isinstance(item, Chain) else item.kind
    yield sign, 0, f"{kind} {item.name} {{"
    yield from _nested(changed_lines(each))
    yield sign, 0, "}"


def _nested(lines: Iterable[Line]) -> Iterator[Line]:
    return ((sign, depth + 1, text) for sign, depth, text in lines)


def _body(item: Item) -> list[str]:
    match item:
        case Chain():
            return [*([item.hook] if item.hook else []), *item.rules]
        case Set():
            return [*item.lines, *sorted(item.elements, key=natural)]
        case Table() | Block():
            return list(item.lines)
        case _:
            return []


def _between(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """What differs, each with the line before and after it."""
    end = 0
    groups = list(SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(1))
    for group in groups:
        if group[0][1] > end:
            yield " ", 0, _MORE
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from ((" ", 0, line) for line in old[a:b])
            else:
                yield from (("-", 0, line) for line in old[a:b])
                yield from (("+", 0, line) for line in new[c:d])
        end = group[-1][2]
    if end < len(old):
        yield " ", 0, _MORE


def _elements(old: Set, new: Set) -> Iterator[Line]:
    """A set has no order, so no element stands between others."""
    if old.lines != new.lines:
        yield from _between(old.lines, new.lines)
    if old.elements & new.elements:
        yield " ", 0, _MORE
    yield from (("-", 0, e) for e in sorted(old.elements - new.elements, key=natural))
    yield from (("+", 0, e) for e in sorted(new.elements - old.elements, key=natural))


def _sign(each: RulesetDifference) -> str:
    match each:
        case Add():
            return "+"
        case Remove():
            return "-"
        case Change():
            return " "


def _rule(each: RulesetDifference) -> Rule_:
    item = each.new if isinstance(each, Change) else each.item
    assert isinstance(item, Table | Chain | Set | Block)
    return item
