"""When each router was last applied with success, in this boot: the time of an empty file.

    /run/nftnsr/applied/ROUTER

For people and for metrics only, nothing is decided by it; so one that cannot be written is not
there, and that is all.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nftnsr.transaction import run

_DIRECTORY = Path(run.DIRECTORY) / "applied"


def stamp(routers: Iterable[str]) -> None:
    """Note that an apply of these routers has succeeded just now."""
    with suppress(OSError):
        run.directory()
        _DIRECTORY.mkdir(mode=0o700, exist_ok=True)
        for name in routers:
            (_DIRECTORY / name).touch()


def last_apply(router: str) -> float | None:
    """Seconds since the epoch, or None where no apply has succeeded since the last boot."""
    try:
        return (_DIRECTORY / router).stat().st_mtime
    except OSError:
        return None
