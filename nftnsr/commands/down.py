"""`nftnsr down`: gives the host back what it had before the first apply."""

from __future__ import annotations

from argparse import Namespace as Options
from collections.abc import Iterator, Sequence
from pathlib import Path

from nftnsr.commands import specs
from nftnsr.commands.apply import report, terms
from nftnsr.commands.console import Console
from nftnsr.commands.recover import recover_first
from nftnsr.commands.terms import locked
from nftnsr.kernel.machine import Machine
from nftnsr.spec import load_all
from nftnsr.transaction import records
from nftnsr.transaction.apply import take_down
from nftnsr.transaction.intents import record_without_apply
from nftnsr.transaction.records import Record, RecordError


def run(options: Options, console: Console) -> int:
    specs.require_root()
    with locked(options, console), Machine() as machine:
        recover_first(machine, console)
        outcome = take_down(machine, tuple(_kept(machine, options.what)), terms(options))
    return report(outcome, options, console)


def _kept(machine: Machine, what: Sequence[str]) -> Iterator[Record]:
    """The records of the routers that are named, or that the named specs describe."""
    files = [name for name in what if name.endswith(".toml") or "/" in name]
    for name in (n for n in what if n not in files):
        if (record := records.read(name)) is None:
            known = ", ".join(records.names()) or "none"
            raise RecordError(f"nothing is known of a router {name}; applied here: {known}")
        yield record
    paths = [Path(f) for f in files] or ([] if what else specs.installed())
    for router in load_all(paths).routers if paths else ():
        record = records.read(router.name)
        if record is not None:
            yield record
        elif machine.is_ours(router.name):
            yield record_without_apply(router)
