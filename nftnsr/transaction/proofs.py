"""What must hold after an apply, or it is undone: a command that succeeds, a connection out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

Asked: TypeAlias = Callable[[], None]
"""Raises if somebody has asked to stop; a proof calls it while it waits."""
Proof: TypeAlias = Callable[[Asked], None]

_COMMAND_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_TRY_SECONDS = 2.0
_LOOK_SECONDS = 0.1


class Disproved(Exception):
    """The machine is as the spec says, and yet what should work does not."""


def command(text: str, seconds: float = _COMMAND_SECONDS) -> Proof:
    """The shell command `text` exits 0 within `seconds`."""

    def prove(asked: Asked) -> None:
        # Its output is for the person; our standard output may be a JSON document. A process
        # group of its own: all that it has started ends with it when it takes too long.
        with subprocess.Popen(text, shell=True, stdin=subprocess.DEVNULL, stdout=2,
                              process_group=0) as process:  # fmt: skip
            try:
                code = _ended(process, time.monotonic() + seconds, asked)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if code is None:
            raise Disproved(f"the check `{text}` took longer than {seconds:.0f} s")
        if code != 0:
            raise Disproved(f"the check `{text}` failed: {_ending(code)}")

    return prove


def connection(host: str, port: int, seconds: float = _CONNECT_SECONDS) -> Proof:
    """A fresh TCP connection to `host` is accepted within `seconds`, tries included."""

    def prove(asked: Asked) -> None:
        deadline = time.monotonic() + seconds
        while True:
            asked()
            try:
                socket.create_connection((host, port), timeout=_TRY_SECONDS).close()
            except OSError as error:
                if time.monotonic() > deadline:
                    reason = error.strerror or str(error)
                    raise Disproved(f"no connection to {host} port {port}: {reason}") from None
                time.sleep(0.2)
            else:
                return

    return prove


def _ended(process: subprocess.Popen[bytes], deadline: float, asked: Asked) -> int | None:
    """The exit status of a process, or None if it has none by `deadline`."""
    while time.monotonic() < deadline:
        asked()
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
    return None


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"
