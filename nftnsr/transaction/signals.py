"""Signals that ask to stop, noted while a transaction runs and obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from attrs import define, field

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


@define
class Signals:
    """While entered, a signal only leaves a note; `check` raises it, where it can be undone."""

    noted: int | None = None
    _before: dict[int, Any] = field(factory=dict)

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            # What was ignored stays so: that is what nohup(1) is for.
            asking = [s for s in _ASKING if signal.getsignal(s) is not signal.SIG_IGN]
            self._before = {s: signal.signal(s, self._note) for s in asking}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        if self.noted is not None:
            raise Interrupted(self.noted)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.noted = number
