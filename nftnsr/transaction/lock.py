"""One at a time: the lock that every changing command holds."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nftnsr.transaction.run import DIRECTORY, directory

# struct flock (fcntl(2)): type, whence, start, length, pid. The lock belongs to the open file, as
# flock(2)'s does, and unlike that one it can be asked about without being taken.
_FLOCK = struct.Struct("hhqqi0q")


class Busy(Exception):
    """Another nftnsr holds the lock."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"another nftnsr (pid {pid}) is changing this machine")
        self.pid = pid


@contextmanager
def lock(wait: float = 0.0, on_wait: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock; waits up to `wait` seconds for it, then raises Busy.

    `on_wait` is told once who holds it, if there is anybody to wait for.
    """
    # Inherited by nobody: a program that `--check` starts must not hold the lock after us.
    descriptor = os.open(f"{directory()}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, wait, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder() -> str | None:
    """The pid of whoever is changing this machine at this moment, if anybody is.

    The lock is not taken to find out: a look must not be in the way of a change.
    """
    try:
        descriptor = os.open(f"{DIRECTORY}/lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole(fcntl.F_WRLCK))
        free = _FLOCK.unpack(answer)[0] == fcntl.F_UNLCK
        return None if free else _pid(descriptor)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, wait: float, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole(fcntl.F_WRLCK))
        except BlockingIOError:
            pid = _pid(descriptor)
            if time.monotonic() >= deadline:
                raise Busy(pid) from None
            if not told:
                on_wait(pid)
                told = True
            time.sleep(0.05)
        else:
            return


def _whole(kind: int) -> bytes:
    """A lock of the whole file."""
    return _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0)


def _pid(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode() or "?"
