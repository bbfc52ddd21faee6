"""`nftnsr apply`: the transaction; prints what it changed."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.recover import recover_first
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import differences_json, differences_text
from nftnsr.transaction import journal
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.transact import Outcome


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    specs.require_root()
    with journal.lock(), Machine() as machine:
        recover_first(machine, console)
        report(apply_spec(machine, spec), console)
    return OK


def report(outcome: Outcome, console: Console) -> None:
    """Say what a transaction changed."""
    console.document(
        {
            "changed": bool(outcome.differences),
            "differences": differences_json(outcome.differences),
            "operations": len(outcome.operations),
        }
    )
    console.say(differences_text(outcome.differences, colour=console.colour))
    if not outcome.differences:
        console.note("nothing to change")
