"""The directory of what ends with a boot: the journal, the lock, the seals."""

from __future__ import annotations

import os

DIRECTORY = "/run/nftnsr"


def directory() -> str:
    """The directory, for root only, also where somebody else made it."""
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    os.chmod(DIRECTORY, 0o700)
    return DIRECTORY
