"""Signals as bytes on a descriptor, so that one wait is for them and for everything else."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from typing import Any

_STOP = (signal.SIGINT, signal.SIGTERM)


class Requests:
    """SIGINT and SIGTERM ask to stop, SIGHUP to read the spec again; all else goes on as it was.

    A transaction that runs meanwhile has handlers of its own, which undo it; the bytes come even
    so, and tell why it was undone.
    """

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Requests:
        self._descriptor = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        # What was ignored stays so: that is what nohup(1) is for.
        asking = (s for s in (*_STOP, signal.SIGHUP) if signal.getsignal(s) is not signal.SIG_IGN)
        self._before = {s: signal.signal(s, lambda *_: None) for s in asking}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor)
        self._near.close()
        self._far.close()

    def fileno(self) -> int:
        return self._near.fileno()

    def read(self) -> tuple[signal.Signals, ...]:
        """The signals that have come."""
        with suppress(BlockingIOError):
            return tuple(signal.Signals(byte) for byte in self._near.recv(4096))
        return ()


def stops(number: signal.Signals) -> bool:
    return number in _STOP
