"""`nftnsr recover`: undoes what a crash left half done; every changing command does it first."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.terms import locked
from nftnsr.kernel.machine import Machine
from nftnsr.transaction.transact import recover


def run(options: Options, console: Console) -> int:
    specs.require_root()
    with locked(options, console), Machine() as machine:
        recovered = recover_first(machine, console, accept=options.accept)
    if not recovered:
        console.note("nothing to recover")
    console.document({"recovered": recovered})
    return OK


def recover_first(machine: Machine, console: Console, *, accept: bool = False) -> bool:
    """Undo an unfinished transaction, and say so."""
    entry = recover(machine, accept=accept)
    if entry is None:
        return False
    console.warn(
        f"nftnsr: an earlier {entry.command} (pid {entry.pid}) ended in the middle; "
        "everything is again as it had found it"
    )
    return True
