"""What can be wrong with a spec, and where."""

from __future__ import annotations

from attrs import frozen

Path = tuple[str | int, ...]


@frozen
class Problem:
    """One thing that is wrong, at its place; lines and columns count characters from 1.

    Without a `line` the problem is the file's as a whole. `end_column` is exclusive.
    """

    file: str
    line: int | None
    column: int | None
    end_column: int | None
    message: str
    hint: str | None = None
    source: str = ""

    @property
    def place(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"


class SpecError(Exception):
    """The spec cannot be used; `problems` has every reason, in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"{problem.place}: {problem.message}" for problem in self.problems)


@frozen
class Fault:
    """A problem whose place is still a path of keys; only a fault that is shown is located.

    The first element of a path is its file. `slice` narrows the place to a part of the string at
    `path`; `also` is the second place that the message speaks of.
    """

    path: Path
    message: str
    hint: str | None = None
    slice: tuple[int, int] | None = None
    on_key: bool = False
    also: Path | None = None
