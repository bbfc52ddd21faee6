"""`nftnsr status`: the live routers, and any transaction that was not ended."""

from __future__ import annotations

from argparse import Namespace as Options
from collections.abc import Iterator

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.diff import unfinished_words
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.scope import Scope
from nftnsr.report.status import Counted, status_json, status_text
from nftnsr.state.model import Namespace
from nftnsr.transaction import journal, records
from nftnsr.transaction.lock import holder
from nftnsr.transaction.records import RecordError


def run(options: Options, console: Console) -> int:
    specs.require_root()
    with Machine() as machine:
        pages = list(_pages(machine, tuple(options.name) or records.names()))
    left, changing = journal.unfinished(), holder()
    console.document(
        {
            "routers": [status_json(*page) for page in pages],
            "unfinished": None if left is None else left.phase,
            "changing": changing,
        }
    )
    console.say("\n".join(status_text(*page) for page in pages))
    if not pages:
        console.note("no router is applied here")
    if words := unfinished_words(left, changing):
        console.warn(f"nftnsr: {words}")
    return OK


def _pages(
    machine: Machine, names: tuple[str, ...]
) -> Iterator[tuple[str, Namespace | None, tuple[Counted, ...]]]:
    for name in names:
        if (record := records.read(name)) is None:
            known = ", ".join(records.names()) or "none"
            raise RecordError(f"nothing is known of a router {name}; applied here: {known}")
        state = machine.observe(Scope.of(record.applied, record.before))
        there = name in state
        counted = machine.counters(name) if there else ()
        forwards = tuple(Counted(*c) for c in counted if c[2])
        yield name, state[name] if there else None, forwards
