"""Waiting for links, woken by the kernel's own notices (RTMGRP_LINK, rtnetlink(7))."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

_RTMGRP_LINK = 1


def wait_for_links(there: Callable[[], bool], seconds: float) -> bool:
    """Whether `there()` gets true in time; it is asked whenever a link of the caller's namespace
    has changed. A signal that raises (Ctrl-C) ends the wait."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as notices:
        # Listening comes before asking: what comes in between is not missed.
        notices.bind((0, _RTMGRP_LINK))
        while not there():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if select.select([notices], [], [], left)[0]:
                _drain(notices)
    return True


def _drain(notices: socket.socket) -> None:
    # ENOBUFS: more came than the socket could hold, which is news enough.
    with suppress(OSError):
        while notices.recv(65536, socket.MSG_DONTWAIT):
            pass
