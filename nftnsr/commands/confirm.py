"""`nftnsr confirm`: keep what `apply --confirm` did."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.terms import locked
from nftnsr.kernel.errors import KernelError
from nftnsr.transaction import journal, stamps


def run(options: Options, console: Console) -> int:
    specs.require_root()
    with locked(options, console):
        waiting = journal.unfinished()
        if waiting is None or waiting.phase != "unconfirmed":
            raise KernelError(
                "nothing waits to be confirmed",
                "if an apply did, its time is over and it is undone: apply it again",
            )
        journal.commit()
        if waiting.entry.command == "apply":
            stamps.stamp(waiting.entry.records)
    console.note(f"the {waiting.entry.command} is confirmed")
    console.document({"confirmed": waiting.entry.command})
    return OK
