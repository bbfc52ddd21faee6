"""`nftnsr journal`: the transaction that is under way or was cut off, else the last one."""

from __future__ import annotations

import time
from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.report.operations import operation_json, operations_text
from nftnsr.transaction import journal
from nftnsr.transaction.journal import Unfinished
from nftnsr.transaction.lock import holder


def run(options: Options, console: Console) -> int:
    specs.require_root()
    current = journal.unfinished()
    shown = current or journal.last()
    if shown is None:
        console.note("nftnsr has changed nothing since the last boot")
        console.document(None)
        return OK
    entry = shown.entry
    phase = _phase(current)
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.started))
    console.say(f"{entry.command}, begun {began} by pid {entry.pid}: {_words(phase, shown)}")
    console.say(operations_text(shown.steps))
    console.document(
        {
            "command": entry.command,
            "pid": entry.pid,
            "started": entry.started,
            "phase": phase,
            "seconds_left": shown.seconds_left if phase == "unconfirmed" else None,
            "routers": sorted(entry.records),
            "steps": [operation_json(step) for step in shown.steps],
        }
    )
    return OK


def _phase(current: Unfinished | None) -> str:
    if current is None:
        return "committed"
    # Before a change is over its journal looks as if it had been cut off.
    return current.phase if holder() is None else "under way"


def _words(phase: str, shown: Unfinished) -> str:
    match phase:
        case "under way":
            return "it is under way"
        case "committed":
            return "committed; `nftnsr rollback` undoes it"
        case "unconfirmed":
            return f"undone in {shown.seconds_left:.0f} s unless `nftnsr confirm`"
        case _:
            return f"{phase}; `nftnsr recover` undoes it"
