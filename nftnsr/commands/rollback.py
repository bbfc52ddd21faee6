"""`nftnsr rollback`: undo the last transaction, confirmed or not."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.apply import report
from nftnsr.commands.console import OK, Console
from nftnsr.commands.terms import locked
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.transaction.apply import roll_back
from nftnsr.transaction.transact import reject


def run(options: Options, console: Console) -> int:
    specs.require_root()
    with locked(options, console), Machine() as machine:
        rejected = reject(machine)
        outcome = None if rejected else roll_back(machine)
    if rejected is not None:
        console.note(f"the {rejected.command} is undone")
        console.document({"undone": rejected.command})
        return OK
    if outcome is None:
        raise KernelError("nftnsr has changed nothing since the last boot")
    return report(outcome, options, console)
