"""Where commands print: one document on stdout, messages on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TextIO

from attrs import frozen

OK, DIFFERS, TROUBLE, UNDO_FAILED = 0, 1, 2, 3


@frozen
class Console:
    """What was asked of the output; colour only for a terminal, and not with NO_COLOR."""

    json: bool = False
    quiet: bool = False

    @property
    def terminal(self) -> bool:
        return sys.stdout is not None and sys.stdout.isatty()

    @property
    def colour(self) -> bool:
        return _colours(sys.stdout)

    @property
    def colour_of_messages(self) -> bool:
        return _colours(sys.stderr)

    def say(self, text: str) -> None:
        """Print the result of a command, unless a JSON document is its result."""
        if not self.json and text:
            print(text.rstrip("\n"), flush=True)

    def note(self, text: str) -> None:
        """Print a remark that --quiet suppresses."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print a message for a person, whatever the result's form."""
        print(text.rstrip("\n"), file=sys.stderr, flush=True)

    def give_up_output(self) -> None:
        """Print nothing more: Python would try again at its end, and fail with 120 then."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def settle_output(self) -> None:
        """Give the output up if what is still held of it cannot be written."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except (OSError, ValueError):
            self.give_up_output()

    def document(self, value: object) -> None:
        """Print the JSON document that is the result, if JSON was asked for."""
        if self.json:
            print(json.dumps(value, indent=2), flush=True)

    def line(self, value: object) -> None:
        """Print one JSON document of many, on a line of its own, if JSON was asked for."""
        if self.json:
            print(json.dumps(value), flush=True)


def _colours(stream: TextIO | None) -> bool:
    # https://no-color.org: present and not empty, whatever its value. A closed stream is None.
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")
