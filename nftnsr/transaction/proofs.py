"""What must hold after an apply, or it is undone: a command that succeeds, a connection out."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from typing import TypeAlias

Proof: TypeAlias = Callable[[], None]

_COMMAND_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_TRY_SECONDS = 2.0


class Disproved(Exception):
    """The machine is as the spec says, and yet what should work does not."""


def command(text: str, seconds: float = _COMMAND_SECONDS) -> Proof:
    """The shell command `text` exits 0 within `seconds`."""

    def prove() -> None:
        try:
            # Its output is for the person; our standard output may be a JSON document.
            done = subprocess.run(text, shell=True, timeout=seconds, stdin=subprocess.DEVNULL,
                                  stdout=2, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Disproved(f"the check `{text}` took longer than {seconds:.0f} s") from None
        if done.returncode != 0:
            raise Disproved(f"the check `{text}` failed: {_ending(done.returncode)}")

    return prove


def connection(host: str, port: int, seconds: float = _CONNECT_SECONDS) -> Proof:
    """A fresh TCP connection to `host` is accepted within `seconds`, tries included."""

    def prove() -> None:
        deadline = time.monotonic() + seconds
        while True:
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


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"
