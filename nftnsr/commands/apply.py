"""`nftnsr apply`: the transaction; prints what it changed."""

from __future__ import annotations

import time
from argparse import Namespace as Options
from collections.abc import Callable, Iterable

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.recover import recover_first
from nftnsr.commands.terms import locked
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import differences_json, differences_text
from nftnsr.spec.model import Spec
from nftnsr.transaction import proofs
from nftnsr.transaction.apply import apply_spec, await_uplinks
from nftnsr.transaction.transact import Outcome, Terms


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    specs.require_root()
    if options.uplink_timeout:
        # Without the lock: others may change this machine meanwhile.
        with Machine() as machine:
            await_uplinks(machine, spec, options.uplink_timeout, _waiting(options, console))
    with locked(options, console), Machine() as machine:
        recover_first(machine, console)
        began = time.monotonic()
        outcome = apply_spec(machine, spec, terms(options), cautious=not options.lockout_ok)
        unwritten = _metrics(machine, spec, outcome, options, time.monotonic() - began)
    status = report(outcome, options, console)
    if unwritten is not None:
        console.warn(f"nftnsr: done, but {unwritten}")
    return status


def _metrics(
    machine: Machine, spec: Spec, outcome: Outcome, options: Options, seconds: float
) -> KernelError | None:
    """Write the metrics, if they were asked for; that they cannot be written unmakes nothing."""
    if options.metrics is None:
        return None
    from nftnsr.commands.metrics import export

    try:
        export(options.metrics, machine, spec, outcome.left, seconds)
    except KernelError as error:
        return error
    return None


def _waiting(options: Options, console: Console) -> Callable[[Iterable[str]], None]:
    seconds = f"{options.uplink_timeout:g} s"
    return lambda missing: console.warn(
        f"nftnsr: waiting up to {seconds} for interface {', '.join(sorted(missing))}"
    )


def terms(options: Options) -> Terms:
    """The terms of the options that `commands.terms.add_terms` gives."""
    return Terms(
        (
            *(proofs.connection(host, port) for host, port in options.confirm_by_connect),
            *(proofs.command(text) for text in options.check),
        ),
        options.confirm,
    )


def report(outcome: Outcome, options: Options, console: Console) -> int:
    """Say what a transaction changed; that it cannot be said does not unmake it."""
    try:
        _tell(outcome, options, console)
    except OSError as error:
        console.give_up_output()
        console.warn(f"nftnsr: done, but what was done cannot be printed: {error.strerror}")
    return OK


def _tell(outcome: Outcome, options: Options, console: Console) -> None:
    console.document(
        {
            "changed": bool(outcome.differences),
            "differences": differences_json(outcome.differences),
            "operations": len(outcome.operations),
            "unconfirmed": outcome.unconfirmed,
            "left": differences_json(outcome.left),
            "warnings": [{"message": r.message, "hint": r.hint} for r in outcome.remarks],
        }
    )
    console.say(differences_text(outcome.differences, colour=console.colour))
    if not outcome.differences:
        console.note("nothing to change")
    for remark in outcome.remarks:
        console.warn(f"nftnsr: warning: {remark.message}\n  hint: {remark.hint}")
    if outcome.left:
        reasons = "".join(f"  {refusal.message}\n" for refusal in outcome.refusals)
        console.warn(
            "nftnsr: this could not be given back:\n"
            f"{differences_text(outcome.left, colour=console.colour_of_messages)}{reasons}"
        )
    if outcome.unconfirmed:
        console.warn(
            f"nftnsr: all of this is undone in {options.confirm:.0f} s unless you run "
            "`nftnsr confirm` (from a new connection, which proves that one works)"
        )
