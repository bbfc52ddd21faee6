"""Every way in which a command can fail, as a message and an exit status."""

from __future__ import annotations

import os
import traceback

from nftnsr.commands.console import TROUBLE, UNDO_FAILED, Console
from nftnsr.commands.specs import NoSpec
from nftnsr.kernel.errors import KernelError
from nftnsr.report.differences import differences_text
from nftnsr.report.operations import operations_text
from nftnsr.report.problems import problems_json, problems_text
from nftnsr.spec import SpecError
from nftnsr.trace import Unanswerable, Unreadable
from nftnsr.transaction.apply import Refused
from nftnsr.transaction.lock import Busy
from nftnsr.transaction.proofs import Disproved
from nftnsr.transaction.records import RecordError
from nftnsr.transaction.signals import Interrupted
from nftnsr.transaction.transact import Crashed, Stuck, Unconfirmed, UndoFailed, Undone


def explain(error: Exception, console: Console) -> int:
    """Tell a person what happened, what state the machine is in, and what to do."""
    if os.environ.get("NFTNSR_DEBUG"):
        console.warn("".join(traceback.format_exception(error)))
    if isinstance(error, SpecError):
        console.warn(problems_text(error.problems, console.colour_of_messages))
        console.document({"valid": False, "problems": problems_json(error.problems)})
        return TROUBLE
    message = words(error)
    console.warn(f"nftnsr: {message}")
    console.document({"error": message})
    return UNDO_FAILED if isinstance(error, UndoFailed) else TROUBLE


def words(error: Exception) -> str:
    """What happened and what state the machine is in, without a mark of who says so."""
    match error:
        case SpecError(problems=problems):
            return problems_text(problems, colour=False)
        case UndoFailed():
            return _undo_failed(error)
        case Undone(cause=cause):
            return f"{_sentence(cause)}\neverything is as it was before"
        case _:
            return _sentence(error)


def _sentence(error: Exception) -> str:
    match error:
        case Refused(obstacles=obstacles):
            return "\n".join(f"{o.message}\n  hint: {o.hint}" for o in obstacles)
        case KernelError(hint=str() as hint):
            return f"{error.message}\n  hint: {hint}"
        case Unanswerable(hint=hint):
            return f"{error}\n  hint: {hint}"
        case Unreadable():
            return f"this packet cannot be traced: {error}"
        case Stuck(left=left):
            return f"{error}:\n{_indented(differences_text(left))}"
        case Unconfirmed():
            return f"{error}\n  hint: nftnsr confirm keeps it, nftnsr rollback undoes it"
        case Busy():
            return f"{error}\n  hint: --wait 30s waits for it"
        case KernelError() | RecordError() | NoSpec() | Interrupted() | Crashed() | Disproved():
            return str(error)
        case OSError(strerror=str() as reason, filename=name):
            return f"{name}: {reason}" if name else reason
        case _:
            hint = "set NFTNSR_DEBUG=1 to see where, and please report it"
            return f"internal error: {type(error).__name__}: {error}\n  hint: {hint}"


def _undo_failed(error: UndoFailed) -> str:
    refusals = "".join(f"\n  {_sentence(refusal)}" for refusal in error.errors)
    return (
        f"{_sentence(error.cause)}\nand the undo did not succeed:{refusals}\n"
        f"what is left to do, to be as it was before:\n{_indented(differences_text(error.left))}"
        f"`nftnsr recover` tries it again, `nftnsr recover --accept` takes it as it is; "
        f"by hand it would be:\n"
        f"{_indented(operations_text(error.by_hand))}"
    )


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
