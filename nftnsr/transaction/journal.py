"""The journal: what was found before the first step, and which steps were begun.

It lives in /run, since what it speaks of does not outlive a boot. The first line, written before
anything is touched, holds the state to go back to; so a crash at any moment can be undone by
making that state true again, whatever the interrupted step had reached. The lines after it are the
steps, for people, and at the end whether all were done.

    /run/nftnsr/journal   the transaction that is under way, unconfirmed, or was cut off
    /run/nftnsr/last      the last committed one, which `rollback` undoes
    /run/nftnsr/lock      held by whoever changes something; names its pid
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from attrs import define, field, frozen

from nftnsr.kernel.scope import Scope
from nftnsr.state import serial
from nftnsr.state.model import State
from nftnsr.state.operations import Operation
from nftnsr.transaction import records, run
from nftnsr.transaction.records import Record, RecordError

DIRECTORY = Path(run.DIRECTORY)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_APPLIED = "applied"

Phase = Literal["cut off", "unconfirmed", "expired"]


@frozen
class Entry:
    """The first line of a journal: one transaction, and all that its undo needs."""

    id: str
    command: str
    pid: int
    boot: str
    started: float
    """Seconds since the epoch."""
    confirm_by: float | None
    """Seconds of CLOCK_BOOTTIME, by which somebody must confirm; None: committed at once."""
    found: State
    scope: Scope
    ours: State
    """What nftnsr made, or may have made by this transaction, and may remove."""
    records: Mapping[str, Record | None]
    """The records of the routers concerned, as they were; None where there was none."""

    @classmethod
    def now(
        cls,
        command: str,
        found: State,
        scope: Scope,
        ours: State,
        before: Mapping[str, Record | None],
        confirm: float | None = None,
    ) -> Entry:
        """An entry for a transaction that begins now and is to be confirmed in so many seconds."""
        by = None if confirm is None else run.clock() + confirm
        started = time.time()
        return cls(
            uuid4().hex, command, os.getpid(), _boot(), started, by, found, scope, ours, before
        )


@frozen
class Unfinished:
    """A transaction whose journal is still there."""

    entry: Entry
    steps: tuple[Operation, ...]
    """The steps that were begun; a torn last line is left out."""
    applied: bool
    """Whether all steps were done and verified: then it waits to be confirmed."""

    @property
    def phase(self) -> Phase:
        if not self.applied or self.entry.confirm_by is None:
            return "cut off"
        return "unconfirmed" if self.seconds_left > 0 else "expired"

    @property
    def seconds_left(self) -> float:
        """How long it may still be confirmed."""
        return 0.0 if self.entry.confirm_by is None else self.entry.confirm_by - run.clock()


@define
class Journal:
    """An open journal."""

    _file: Any = field(repr=False)

    @classmethod
    def open(cls, entry: Entry) -> Journal:
        """Begin a journal; it appears whole, with its first line, or not at all."""
        path = directory() / "journal"
        records.write_whole(path, json.dumps(serial.dump(entry)) + "\n")
        # Without a buffer: what could not be written is not tried again when it is closed.
        return cls(path.open("ab", buffering=0))

    def begin(self, operation: Operation) -> None:
        """Note that `operation` is about to be performed."""
        self._write(json.dumps(serial.dump(operation, Operation)))

    def applied(self) -> None:
        """Note that everything was done and verified."""
        self._write(json.dumps(_APPLIED))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode()
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise records.unwritable(DIRECTORY / "journal", error) from error


def unfinished() -> Unfinished | None:
    """The transaction whose journal is there; one of another boot is none, and is removed."""
    read = _read(DIRECTORY / "journal")
    if read is not None and read.entry.boot != _boot():
        # What was done before a reboot, the reboot has undone.
        discard()
        return None
    return read


def identity(name: str = "journal") -> int | None:
    """What tells one journal from the next, without reading it; None where there is none."""
    try:
        return (DIRECTORY / name).stat().st_ino
    except FileNotFoundError:
        return None


def stamp() -> tuple[int | None, int | None]:
    """What changes whenever a transaction begins, is committed, or is undone."""
    return identity(), identity("last")


def last() -> Unfinished | None:
    """The last committed transaction of this boot."""
    read = _read(DIRECTORY / "last")
    return read if read is not None and read.entry.boot == _boot() else None


def commit() -> None:
    """The transaction is done: its journal becomes the one that `rollback` reads."""
    (DIRECTORY / "journal").replace(DIRECTORY / "last")


def discard() -> None:
    """The transaction has been undone: forget it."""
    (DIRECTORY / "journal").unlink(missing_ok=True)


def directory() -> Path:
    """The directory of the journal, made if need be."""
    return Path(run.directory())


def _read(path: Path) -> Unfinished | None:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    if not lines:
        # Nothing was begun: the first line is there before the first step.
        path.unlink()
        return None
    try:
        entry = serial.load(json.loads(lines[0]), Entry)
        steps, applied = _steps(lines[1:])
    except Exception as error:
        raise RecordError(
            f"{path} cannot be read ({type(error).__name__}); nobody but nftnsr should write it: "
            "see what it says, then delete it"
        ) from error
    assert isinstance(entry, Entry)
    return Unfinished(entry, steps, applied)


def _steps(lines: list[bytes]) -> tuple[tuple[Operation, ...], bool]:
    steps: list[Operation] = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            break
        if value == _APPLIED:
            return tuple(steps), True
        steps.append(serial.load(value, Operation))
    return tuple(steps), False


def _boot() -> str:
    return _BOOT_ID.read_text().strip()
