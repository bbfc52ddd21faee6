"""The script of a first apply, line by line: of each can be asked where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from attrs import evolve

from nftnsr.compile import compile_spec
from nftnsr.report.operations import operation_lines
from nftnsr.spec.model import Spec
from nftnsr.state.operations import LoadRuleset, Operation, WriteSysctls
from nftnsr.transaction.first import first_apply

_SAYS_NOTHING = ("", "}", "elements = {")


class Line(NamedTuple):
    """A command, or a line of a router's ruleset, e.g. of the block `chain forward`."""

    router: str
    block: str
    text: str


def lines(spec: Spec) -> set[Line]:
    """All that the script says, in no order."""
    return {line for _, line in script(first_apply(spec, compile_spec(spec))) if line is not None}


def script(operations: Iterable[Operation]) -> Iterator[tuple[str, Line | None]]:
    """The script as it is printed, each setting as a command of its own.

    A line that says nothing, such as a closing brace, is told as None.
    """
    for operation in operations:
        match operation:
            case WriteSysctls(_, settings):
                for each in settings:
                    (text,) = operation_lines(evolve(operation, settings=(each,)))
                    yield text, Line("", "", text)
            case LoadRuleset(name, commands):
                (text,) = operation_lines(operation)
                yield text.split("\n", 1)[0], None
                yield from ruleset(name, commands)
                yield text.rsplit("\n", 1)[1], None
            case _:
                yield from ((text, Line("", "", text)) for text in operation_lines(operation))


def ruleset(router: str, text: str) -> Iterator[tuple[str, Line | None]]:
    """The lines of a ruleset in the layout of `nft list ruleset`."""
    block = ""
    for line in text.splitlines():
        if line.startswith("\t") and line.endswith(" {") and line[1] != "\t":
            block = line[1:-2]
        # What its place in a list adds to an element is no part of it.
        said = line.strip().removesuffix(",")
        yield line, None if said in _SAYS_NOTHING else Line(router, block, said)
