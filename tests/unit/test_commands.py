"""Laws of what commands print, and of the words for every way to fail."""

from __future__ import annotations

import json
import sys

import pytest

from nftnsr.commands.console import OK, TROUBLE, UNDO_FAILED, Console
from nftnsr.commands.failures import explain
from nftnsr.commands.specs import NoSpec
from nftnsr.kernel.errors import KernelError
from nftnsr.spec import SpecError, parse
from nftnsr.state.difference import Add
from nftnsr.state.model import HOST, Link
from nftnsr.state.operations import MoveLink
from nftnsr.transaction.apply import Refused
from nftnsr.transaction.preflight import Obstacle
from nftnsr.transaction.records import RecordError
from nftnsr.transaction.signals import Interrupted
from nftnsr.transaction.transact import Stuck, UndoFailed, Undone

Capture = pytest.CaptureFixture[str]


class Terminal:
    def isatty(self) -> bool:
        return True


def test_result_goes_to_stdout_and_messages_to_stderr(capsys: Capture) -> None:
    console = Console()
    console.say("result")
    console.note("remark")
    console.warn("warning")
    console.document({"no": "document"})
    assert capsys.readouterr() == ("result\n", "remark\nwarning\n")


def test_json_replaces_the_result_and_nothing_else(capsys: Capture) -> None:
    console = Console(json=True)
    console.say("result")
    console.note("remark")
    console.document({"é": 1})
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"é": 1}, "remark\n")


def test_quiet_silences_remarks_only(capsys: Capture) -> None:
    console = Console(quiet=True)
    console.say("result")
    console.note("remark")
    console.warn("warning")
    assert capsys.readouterr() == ("result\n", "warning\n")


def test_empty_result_prints_no_line(capsys: Capture) -> None:
    Console().say("")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("value", "colour"), [(None, True), ("", True), ("0", False)])
def test_no_color_counts_when_it_is_not_empty(
    monkeypatch: pytest.MonkeyPatch, value: str | None, colour: bool
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert Console().colour is colour


def test_closed_stream_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert not Console().colour


# -- failures ------------------------------------------------------------------------------

OBSTACLE = Obstacle("the fact", "the repair")
LEFT = (Add(HOST, Link("ens3")),)
BROKEN = KernelError("the kernel said no", "ask it nicely")

FAILURES: dict[str, tuple[Exception, int, str]] = {
    "refused": (Refused((OBSTACLE,)), TROUBLE, "nftnsr: the fact\n  hint: the repair\n"),
    "kernel": (BROKEN, TROUBLE, "nftnsr: the kernel said no\n  hint: ask it nicely\n"),
    "no hint": (KernelError("no"), TROUBLE, "nftnsr: no\n"),
    "record": (RecordError("it is damaged"), TROUBLE, "nftnsr: it is damaged\n"),
    "no spec": (NoSpec("none"), TROUBLE, "nftnsr: none\n"),
    "undone": (
        Undone(BROKEN),
        TROUBLE,
        "nftnsr: the kernel said no\n  hint: ask it nicely\neverything is as it was before\n",
    ),
    "interrupted": (
        Undone(Interrupted(2)),
        TROUBLE,
        "nftnsr: interrupted by SIGINT\neverything is as it was before\n",
    ),
    "stuck": (
        Undone(Stuck(LEFT)),
        TROUBLE,
        "nftnsr: the kernel does not keep what it was told:\n  host:\n    + link ens3 up\n"
        "\neverything is as it was before\n",
    ),
    "undo failed": (
        UndoFailed(BROKEN, LEFT, (MoveLink("ens3", "wan", HOST),), (KernelError("no again"),)),
        UNDO_FAILED,
        "nftnsr: the kernel said no\n  hint: ask it nicely\nand the undo did not succeed:\n"
        "  no again\nwhat is left to do, to be as it was before:\n  host:\n    + link ens3 up\n"
        "`nftnsr recover` tries it again, `nftnsr recover --accept` takes it as it is; "
        "by hand it would be:\n"
        "  ip -n wan link set dev ens3 netns 1\n",
    ),
    "file": (
        PermissionError(13, "Permission denied", "/var/lib/nftnsr"),
        TROUBLE,
        "nftnsr: /var/lib/nftnsr: Permission denied\n",
    ),
    "our own": (
        ZeroDivisionError("division by zero"),
        TROUBLE,
        "nftnsr: internal error: ZeroDivisionError: division by zero\n"
        "  hint: set NFTNSR_DEBUG=1 to see where, and please report it\n",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_told_in_words(name: str, capsys: Capture) -> None:
    error, status, words = FAILURES[name]
    assert explain(error, Console()) == status != OK
    assert capsys.readouterr() == ("", words)


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_a_document_for_programs(name: str, capsys: Capture) -> None:
    error, status, words = FAILURES[name]
    assert explain(error, Console(json=True, quiet=True)) == status
    out, err = capsys.readouterr()
    assert err == words
    assert json.loads(out)["error"].rstrip("\n") == words.removeprefix("nftnsr: ").rstrip("\n")


def test_problems_of_a_spec_are_a_document_too(capsys: Capture) -> None:
    with pytest.raises(SpecError) as caught:
        parse("[router.wan]\nuplink = 3\n", "spec.toml")
    assert explain(caught.value, Console(json=True)) == TROUBLE
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["valid"] is False
    assert len(document["problems"]) == err.count("spec.toml:")


def test_debugging_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("NFTNSR_DEBUG", "1")
    explain(ZeroDivisionError("division by zero"), Console())
    assert "Traceback" not in FAILURES["our own"][2]
    assert capsys.readouterr().err.count("ZeroDivisionError") == 2
