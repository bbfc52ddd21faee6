"""One at a time: the lock that every changing command holds."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nftnsr.transaction.journal import directory


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
    descriptor = os.open(directory() / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, wait, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder() -> str | None:
    """The pid of whoever is changing this machine at this moment, if anybody is."""
    try:
        with lock():
            return None
    except Busy as busy:
        return busy.pid


def _acquire(descriptor: int, wait: float, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 32, 0).decode() or "?"
            if time.monotonic() >= deadline:
                raise Busy(pid) from None
            if not told:
                on_wait(pid)
                told = True
            time.sleep(0.05)
        else:
            return
