"""The journal: what was found before the first step, and which steps were begun.

It lives in /run, since what it speaks of does not outlive a boot. The first line, on the disk
before anything is touched, holds the state to go back to; so a crash at any moment can be undone
by making that state true again, whatever the interrupted step had reached. Lines after it are
for people.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from nftnsr.kernel.machine import Scope
from nftnsr.state import serial
from nftnsr.state.model import State
from nftnsr.state.operations import Operation
from nftnsr.transaction import records
from nftnsr.transaction.records import Record

DIRECTORY = Path("/run/nftnsr")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Busy(Exception):
    """Another nftnsr holds the lock."""


@frozen
class Entry:
    """The first line of a journal: one transaction, and all that its undo needs."""

    command: str
    pid: int
    boot: str
    started: float
    found: State
    scope: Scope
    records: Mapping[str, Record | None]
    """The records of the routers concerned, as they were; None where there was none."""

    @classmethod
    def now(
        cls, command: str, found: State, scope: Scope, before: Mapping[str, Record | None]
    ) -> Entry:
        return cls(command, os.getpid(), _boot(), time.time(), found, scope, before)


@define
class Journal:
    """An open journal; `close` removes it, which commits (or ends the undo)."""

    path: Path
    _file: Any = field(repr=False)

    @classmethod
    def open(cls, entry: Entry) -> Journal:
        """Begin a journal, with `entry` on the disk."""
        path = _directory() / "journal"
        # Written whole under another name first: a journal that exists has its first line.
        records.write_whole(path, json.dumps(serial.dump(entry)) + "\n")
        return cls(path, path.open("a"))

    def begin(self, operation: Operation) -> None:
        """Note that `operation` is about to be performed."""
        self._file.write(json.dumps(serial.dump(operation, Operation)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def unfinished() -> Entry | None:
    """The transaction that somebody began and never ended, or None."""
    path = DIRECTORY / "journal"
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return None
    try:
        entry = serial.load(json.loads(lines[0]), Entry)
    except Exception as error:
        raise records.RecordError(
            f"the journal {path} cannot be read ({type(error).__name__}): nobody but nftnsr should "
            f"write it; see what it says, then delete it"
        ) from error
    assert isinstance(entry, Entry)
    if entry.boot != _boot():
        discard()  # what was done before a reboot, the reboot has undone
        return None
    return entry


def discard() -> None:
    """Remove a journal whose transaction has been undone."""
    (DIRECTORY / "journal").unlink(missing_ok=True)


def steps() -> tuple[Operation, ...]:
    """The steps that the unfinished transaction had begun; a torn last line is left out."""
    path = DIRECTORY / "journal"
    found = []
    for line in path.read_text().splitlines()[1:] if path.exists() else ():
        try:
            found.append(serial.load(json.loads(line), Operation))
        except ValueError:
            break
    return tuple(found)


@contextmanager
def lock(wait: float = 0.0) -> Iterator[None]:
    """Hold the one lock of all changing commands; waits up to `wait` seconds, then raises Busy."""
    with (_directory() / "lock").open("a") as file:
        deadline = time.monotonic() + wait
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise Busy("another nftnsr is changing this machine")
            time.sleep(0.05)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _directory() -> Path:
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    return DIRECTORY


def _boot() -> str:
    return _BOOT_ID.read_text().strip()
