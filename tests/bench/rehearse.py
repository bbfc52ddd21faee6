"""Rehearsals, as whole processes, and where their time goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tests.bench.measure import capture, in_turns, nftnsr, run
from tests.bench.table import Table, rows
from tests.bench.world import forward, spec

_FIRST = 1024
_PARTS = {"build": "the world", "apply": "apply", "probe": "probes"}
_ROUNDS = 7


def tables(quick: bool) -> Iterator[Table]:
    for size in (1, 1000) if quick else (1, 1000, 5000):
        yield from _size(size, 2 if quick else _ROUNDS)


def _size(size: int, rounds: int) -> Iterator[Table]:
    file = spec(map(forward, range(_FIRST, _FIRST + size)))
    # As by anybody who may not make a network namespace on the machine itself.
    nobody = ("setpriv", "--bounding-set=-sys_admin")
    rehearse = nftnsr("rehearse", "--quiet", file)
    subjects: dict[str, Callable[[], float]] = {
        "by root": lambda: run(*rehearse).seconds,
        "in a user namespace": lambda: run(*nobody, *rehearse).seconds,
    }
    parts: dict[str, list[float]] = {}
    probes = 0
    for _ in range(rounds):
        outcome = json.loads(capture(*nftnsr("rehearse", "--json", file)))
        probes = len(outcome["results"])
        for key, name in _PARTS.items():
            parts.setdefault(name, []).append(outcome["seconds"][key])
    title = f"rehearsal of {size} forward{'s'[: size > 1]}, {probes} probes"
    yield Table(title, "s", rows(in_turns(subjects, rounds)), remark="Each a whole process.")
    yield Table(f"of that, {title.partition(',')[0]}", "s", rows(parts))
