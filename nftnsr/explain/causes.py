"""What each line of a router's script comes from: the keys without which it would not be there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import combinations, count
from math import comb
from typing import TypeAlias

from nftnsr.explain.script import Line, lines
from nftnsr.explain.variants import (
    NOTHING,
    Value,
    changed,
    changes,
    long_arrays,
    renamed,
    representing,
)
from nftnsr.spec import reread
from nftnsr.spec.model import Router, Spec
from nftnsr.spec.problems import Path

TOLD_APART = 4096
"""Of an array of more elements than these only the key is named, for all together."""
_READ_ALONG = 256
"""Networks: a block list of more is left out while other keys are asked for."""

Causes: TypeAlias = Mapping[Line, tuple[Path, ...]]
_Table: TypeAlias = Mapping[str, Value]
_Ask: TypeAlias = Callable[[_Table], Set[Line]]


def causes(file: str, router: Router, table: _Table) -> Causes:
    """Paths below the router's table, first those on which the fewest lines depend.

    What depends on nothing in the table depends on the table itself.
    """
    real = lines(Spec((router,)))
    found: dict[Path, set[Line]] = defaultdict(set)
    for path, some in _found(router, table, real, partial(_lines, file, router.name)):
        found[path] |= some
    for path in sorted(found, key=len):
        # Where something within a table or an array is the reason, the whole is none besides.
        for length in range(1, len(path)):
            found[path[:length]] -= found[path]
    by_line: dict[Line, list[Path]] = {line: [] for line in real}
    for path in sorted(found, key=lambda path: len(found[path])):
        for line in found[path] & real:
            by_line[line].append(path)
    return {line: tuple(paths) or ((),) for line, paths in by_line.items()}


def _lines(file: str, name: str, table: _Table) -> Set[Line]:
    """What a table would amount to; nothing where the compiler can make nothing of it."""
    draft, faults = reread(file, name, table)
    try:
        return lines(Spec((draft.finished(),)))
    except Exception:
        # Much that the rules of the spec refuse can be compiled all the same; the rest cannot.
        if not any(faults):
            raise
        return set()


def _found(
    router: Router, table: _Table, real: Set[Line], ask: _Ask
) -> Iterator[tuple[Path, Set[Line]]]:
    """What is missing or different once a key is changed.

    Of what is long a few elements stand for all while other keys are asked for.
    """
    for each in router.filter.blocklists:
        if len(each.networks) > _READ_ALONG:
            path: Path = ("filter", "blocklists", each.name)
            table = changed(table, path, NOTHING)
            yield path, _missing(real, ask(table))
    long = dict(long_arrays(table))
    for path, array in long.items():
        yield path, _missing(ask(table), ask(changed(table, path, NOTHING)))
        if len(array) <= TOLD_APART:
            yield from _by_element(table, path, array, ask)
        table = changed(table, path, representing(array))
    base = ask(table)
    for path, value in changes(table):
        if not any(path[:length] in long for length in range(1, len(path) + 1)):
            # If it is a name, something else in the table may speak of it.
            other = ask(changed(table, path, value)) or ask(renamed(table, path, value))
            yield path, _missing(base, other)


def _missing(base: Set[Line], other: Set[Line]) -> Set[Line]:
    return base - other if other else set()


def _by_element(
    table: _Table, path: Path, array: Sequence[Value], ask: _Ask
) -> Iterator[tuple[Path, Set[Line]]]:
    """The lines that an element of a long array brings alone, for each element.

    The table is compiled with half of the elements, several times, each element in another half of
    these times: 13 for 1000 elements. A line that is there at all times of one element, and at no
    other, is its. One that two elements bring is there more often.
    """
    times = next(n for n in count(2) if comb(n, n // 2) >= len(array))
    halves = map(frozenset, combinations(range(times), times // 2))
    number = {when: each for each, when in zip(range(len(array)), halves, strict=False)}
    seen: dict[Line, set[int]] = defaultdict(set)
    for time in range(times):
        half = [array[each] for when, each in number.items() if time in when]
        for line in ask(changed(table, path, half)):
            seen[line].add(time)
    for line, when in seen.items():
        if (each := number.get(frozenset(when))) is not None:
            yield (*path, each), {line}
