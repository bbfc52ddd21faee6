"""Where the specs of a command lie. Nothing is imported: the quick answer needs it, too."""

from __future__ import annotations

import os
from collections.abc import Sequence

DIRECTORY = "/etc/nftnsr"


def chosen(named: Sequence[str]) -> list[str]:
    """The files named, else those of this machine."""
    return list(named) or installed()


def installed() -> list[str]:
    """Every /etc/nftnsr/*.toml, sorted by name; there may be none."""
    try:
        names = os.listdir(DIRECTORY)
    except OSError:
        return []
    return [f"{DIRECTORY}/{name}" for name in sorted(names) if name.endswith(".toml")]
