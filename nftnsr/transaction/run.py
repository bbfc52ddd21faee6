"""What ends with a boot: the directory of the journal, the lock and the seals, and their clock."""

from __future__ import annotations

import os
import time

DIRECTORY = "/run/nftnsr"


def directory() -> str:
    """The directory, for root only, also where somebody else made it."""
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    os.chmod(DIRECTORY, 0o700)
    return DIRECTORY


def clock() -> float:
    """Seconds since boot, suspend included: nobody sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
