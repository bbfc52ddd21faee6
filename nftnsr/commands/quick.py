"""The quick answer of `nftnsr diff`: that nothing has changed since it was in sync.

It takes a few milliseconds where the whole program takes ten times as many only to start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from nftnsr.commands import paths
from nftnsr.transaction import seals

_OPTIONS = ("--json", "--quiet", "-q")


def diff(arguments: Sequence[str]) -> int | None:
    """The exit status, with the answer printed; None where the whole program must give it."""
    named = specs_named(arguments)
    if named is None or os.geteuid() != 0 or sys.stdout is None:
        return None
    specs = paths.chosen(named)
    document = seals.unbroken(specs) if specs else None
    if document is None:
        return None
    if "--json" in arguments:
        try:
            os.write(sys.stdout.fileno(), f"{json.dumps(document, indent=2)}\n".encode())
        except OSError:
            return None  # the whole program will meet the same, and has the words for it
    return 0


def specs_named(arguments: Sequence[str]) -> list[str] | None:
    """The specs named by a `diff` of the plainest form; None for anything else."""
    if not arguments or arguments[0] != "diff":
        return None
    rest = list(arguments[1:])
    while rest and rest[0] in _OPTIONS:
        del rest[0]
    while rest and rest[-1] in _OPTIONS:
        del rest[-1]
    return None if any(not word or word.startswith("-") for word in rest) else rest
