"""What Linux refused, said so that a person can act on it."""

from __future__ import annotations


class KernelError(Exception):
    """An operation that the kernel, or the machine, refused: one sentence, and a repair."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Stale(KernelError):
    """Somebody else changed the ruleset since it was observed: look again, and plan again."""
