"""The systemd units that ship with nftnsr, as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

NAMES: Final = (
    "nftnsr@.service",
    "nftnsr-drift@.service",
    "nftnsr-drift@.timer",
    "nftnsr-watch@.service",
)
MARK: Final = "# Written by `nftnsr units install`; `nftnsr units remove` takes it away."
"""The first line of an installed unit, by which nftnsr knows its own."""

# What systemd.syntax(7) and systemd.unit(5) read anew in a command line. Variables they put in
# from its second word on.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "%": "%%"}
_PLAIN = re.compile(r"[\w./@:+,=%$-]+")


def texts(command: Sequence[str]) -> Mapping[str, str]:
    """The units by their names; `command` is what runs nftnsr, its first word an absolute path."""
    own = files(__name__)
    hardening = own.joinpath("hardening").read_text().rstrip("\n")
    program, *arguments = map(_quoted, command)
    words = " ".join([program, *(a.replace("$", "$$") for a in arguments)])
    return {
        name: f"{MARK}\n"
        + own.joinpath(name)
        .read_text()
        .replace("@NFTNSR@", words)
        .replace("@HARDENING@", hardening)
        for name in NAMES
    }


def _quoted(word: str) -> str:
    """A word of a command line in a unit."""
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in word)
    return escaped if _PLAIN.fullmatch(escaped) else f'"{escaped}"'
