"""What must outlive a reboot: for each router, what the host had before the first apply.

One JSON file a router in /var/lib/nftnsr, readable by root only, written whole or not at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from attrs import frozen

from nftnsr.state import serial
from nftnsr.state.model import Link, State

DIRECTORY = Path("/var/lib/nftnsr")


@frozen
class Record:
    """One applied router.

    `before` holds, in the host's namespace, what the uplinks had before the first apply: link,
    addresses, routes, neighbours, sysctls. `applied` is what nftnsr wanted last, without the
    ruleset: it tells where to look when the router goes or changes. After a `down` that could
    not end everything yet the record stays, and says so. `taken` is how the uplinks were when
    they were last moved into the namespace.
    """

    router: str
    before: State
    applied: State
    down: bool = False
    taken: tuple[Link, ...] = ()


def read(router: str) -> Record | None:
    """The record of a router, or None where nothing was applied; a damaged one is an error."""
    path = DIRECTORY / f"{router}.json"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        record = serial.load(_in_this_form(json.loads(text)), Record)
    except Exception as error:
        raise RecordError(
            f"{path} is damaged ({type(error).__name__}): it holds what the host had before the "
            "first apply; look into it, then move it away"
        ) from error
    assert isinstance(record, Record)
    return record


def _in_this_form(data: dict[str, Any]) -> dict[str, Any]:
    """A record as an earlier version wrote it, which knew of one uplink only, or this one."""
    taken = data.get("taken", [])
    one = [] if taken is None else [taken]
    return data if isinstance(taken, list) else {**data, "taken": one}


def prove_writable() -> None:
    """Raise a RecordError if no record could be written: to be known before anything is done."""
    try:
        DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
        DIRECTORY.chmod(0o700)
        with NamedTemporaryFile(dir=DIRECTORY, prefix=".try."):
            pass
    except OSError as error:
        raise RecordError(
            f"{DIRECTORY} cannot be written ({error.strerror}): what the host had before could "
            "not be remembered"
        ) from error


def write(record: Record) -> None:
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(DIRECTORY / f"{record.router}.json", serial.to_text(record))


def forget(router: str) -> None:
    path = DIRECTORY / f"{router}.json"
    if path.exists():  # a directory that cannot be written does no harm where nothing is to go
        path.unlink()


def names() -> tuple[str, ...]:
    """The routers that have a record, sorted."""
    return tuple(sorted(p.stem for p in DIRECTORY.glob("*.json"))) if DIRECTORY.is_dir() else ()


class RecordError(Exception):
    """A record, or a journal, that cannot be read or written."""


def unwritable(path: Path, error: OSError) -> RecordError:
    return RecordError(f"{path} cannot be written: {error.strerror}")


def write_whole(path: Path, text: str) -> None:
    """Replace a file so that a crash leaves either the old or the new one, on the disk."""
    try:
        _write_whole(path, text)
    except OSError as error:
        raise unwritable(path, error) from error


def _write_whole(path: Path, text: str) -> None:
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
