"""The file of `--metrics`: what a check found, for a node exporter's textfile collector."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from nftnsr.commands import files
from nftnsr.compile import compile_far
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import kind_of
from nftnsr.report.metrics import Checked, metrics_text
from nftnsr.report.usage import usage
from nftnsr.spec.model import Router, Spec
from nftnsr.state.difference import Add, Change, Difference, Remove
from nftnsr.state.model import HOST, Link
from nftnsr.transaction import stamps


def export(
    path: Path, machine: Machine, spec: Spec, differences: Collection[Difference], seconds: float
) -> None:
    """Write what a check of `spec` found, which took so many seconds and is over just now."""
    now = time.time()
    text = metrics_text(_checked(machine, spec, differences, now, seconds))
    files.replace(path, text, "metrics", "--metrics")


def _checked(
    machine: Machine, spec: Spec, differences: Collection[Difference], now: float, seconds: float
) -> Iterator[Checked]:
    for router in spec.routers:
        mine = Counter(kind_of(d) for d in differences if _concerns(router, d, spec))
        counters = machine.counters(router.name) if machine.is_ours(router.name) else ()
        last = stamps.last_apply(router.name)
        yield Checked(router.name, mine, now, seconds, last, usage(router, counters, {}))


def _concerns(router: Router, each: Difference, spec: Spec) -> bool:
    """Whether it is one of this router; one outside that is clearly of none is of all."""
    if each.namespace in {r.name for r in spec.routers}:
        return each.namespace == router.name
    owners = [r for r in spec.routers if _names(r, each)]
    return router in owners or not owners


def _names(router: Router, each: Difference) -> bool:
    match each:
        case Add(_, item) | Remove(_, item) | Change(_, _, item):
            far = compile_far(router)[each.namespace]
            devs = {i.name for i in far.items if isinstance(i, Link)}
            devs |= {u.dev for u in router.uplinks} if each.namespace == HOST else set()
            on = {str(part) for part in item.key} & devs
            return bool(on) or item.key in far.by_key
        case _:
            return False
