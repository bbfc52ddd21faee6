"""`nftnsr apply`: the transaction; prints what it changed."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.recover import recover_first
from nftnsr.commands.terms import locked
from nftnsr.kernel import session
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import differences_json, differences_text
from nftnsr.transaction import proofs
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.transact import Outcome, Terms


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    specs.require_root()
    here = None if options.lockout_ok else session.current()
    with locked(options, console), Machine() as machine:
        recover_first(machine, console)
        outcome = apply_spec(machine, spec, terms(options), session=here)
    report(outcome, options, console)
    return OK


def terms(options: Options) -> Terms:
    """The terms of the options that `commands.terms.add_terms` gives."""
    return Terms(
        (
            *(proofs.connection(host, port) for host, port in options.confirm_by_connect),
            *(proofs.command(text) for text in options.check),
        ),
        options.confirm,
    )


def report(outcome: Outcome, options: Options, console: Console) -> None:
    """Say what a transaction changed."""
    console.document(
        {
            "changed": bool(outcome.differences),
            "differences": differences_json(outcome.differences),
            "operations": len(outcome.operations),
            "unconfirmed": outcome.unconfirmed,
        }
    )
    console.say(differences_text(outcome.differences, colour=console.colour))
    if not outcome.differences:
        console.note("nothing to change")
    if outcome.unconfirmed:
        console.warn(
            f"nftnsr: all of this is undone in {options.confirm:.0f} s unless you run "
            "`nftnsr confirm` (from a new connection, which proves that one works)"
        )
