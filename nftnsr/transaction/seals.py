"""Seals: answers of a full check that hold while all that they rest upon stays as it is.

    /run/nftnsr/seals/DIGEST   the last answer for the specs of these names, when it was "in sync"

A seal holds what to look at (the specs and records, the code that gave the answer and what else it
read, a view of the kernel), a digest of each as it was then, and the answer. Whatever differs, or
cannot be read, breaks the seal: then the full check is made, and seals its own answer (see
`witness`). So does a day: the generation of a ruleset has 32 bits and a commit takes 0.1 ms, so it
cannot have come round in that time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from nftnsr.kernel import reading
from nftnsr.transaction import run
from nftnsr.transaction.lock import holder

DIRECTORY = f"{run.DIRECTORY}/seals"
_RECORDS = "/var/lib/nftnsr"
_LASTS = 24 * 3600.0


def unbroken(specs: Sequence[str]) -> object:
    """The document of the answer that still holds for the specs of these names, or None."""
    try:
        with open(place(specs)) as file:
            seal = json.load(file)
        same = (
            run.clock() - seal["clock"] < _LASTS
            and seal["files"] == reading.files(evidence(specs))
            and seal["loaded"] == reading.loaded(seal["names"])
            and seal["kernel"] == reading.kernel(seal["view"])
        )
        under_way = os.path.lexists(f"{run.DIRECTORY}/journal") or holder() is not None
        return seal["document"] if same and not under_way else None
    except Exception:  # whatever is the matter, the full check finds it, and has the words for it
        return None


def place(specs: Sequence[str]) -> str:
    """The file of the seal for the specs of these names."""
    return f"{DIRECTORY}/{reading.digest([os.path.abspath(path) for path in specs])}"


def evidence(specs: Sequence[str]) -> list[str]:
    """The files that tell what is wanted: the specs, and the records of all routers."""
    try:
        names = os.listdir(_RECORDS)
    except OSError:
        names = []
    records = (f"{_RECORDS}/{name}" for name in sorted(names) if name.endswith(".json"))
    return [*specs, *records]
