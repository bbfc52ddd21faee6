"""The service manager above this process, told of what it does by sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen


@frozen
class Supervisor:
    """Where to send messages to, and how often a sign of life is wanted, in seconds."""

    address: str | None = None
    interval: float | None = None

    @classmethod
    def above(cls, environment: Mapping[str, str] = os.environ) -> Supervisor:
        """That of $NOTIFY_SOCKET; without one nobody is told anything."""
        address = environment.get("NOTIFY_SOCKET") or None
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "") if address and for_us else ""
        # Twice as often as must be, as sd_watchdog_enabled(3) recommends.
        interval = int(microseconds) / 2e6 if microseconds.isdecimal() else None
        return cls(address, interval or None)

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        # "@" is for the NUL of an abstract address.
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        # A manager that has gone, or does not read, is no reason to stop.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, address)
