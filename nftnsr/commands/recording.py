"""What a rehearsal found, as far as it got, for the file of `--junit`."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from attrs import define, field

from nftnsr.commands.console import Console
from nftnsr.kernel.errors import KernelError
from nftnsr.rehearsal.outcome import Result, Untried


@define
class Recording:
    """Filled while the rehearsal goes on, and put in the order of the spec in the end."""

    routers: tuple[str, ...] = ()
    results: list[Result] = field(factory=list)
    untried: tuple[Untried, ...] = ()


@contextmanager
def recorded(path: Path | None, console: Console) -> Iterator[Recording]:
    """Write the recording to `path` in the end, whatever the end is; None: to nowhere."""
    recording = Recording()
    began, start = datetime.now(), time.monotonic()

    def write(path: Path, error: str | None) -> None:
        _write(path, recording, error, began, time.monotonic() - start)

    try:
        yield recording
    except (Exception, KeyboardInterrupt) as error:
        if path is not None:
            try:
                write(path, _words(error))
            except KernelError as unwritten:
                console.warn(f"nftnsr: {unwritten}")  # what went wrong first is told last
        raise
    if path is not None:
        write(path, None)


def _write(
    path: Path, recording: Recording, error: str | None, began: datetime, seconds: float
) -> None:
    from nftnsr.commands import files
    from nftnsr.report.junit import Ran, junit_xml

    ran = Ran(
        recording.routers, tuple(recording.results), recording.untried, error,
        seconds, began, socket.gethostname() or "localhost",
    )  # fmt: skip
    files.replace(path, junit_xml(ran), "results", "--junit")


def _words(error: BaseException) -> str:
    from nftnsr.commands.failures import words

    return words(error) if isinstance(error, Exception) else "interrupted"
