"""The reasons of rules and commands, in the words of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePath
from typing import TypeAlias

from attrs import frozen

from nftnsr.explain.causes import TOLD_APART, Causes, causes
from nftnsr.explain.script import Line
from nftnsr.explain.variants import default_of, long_arrays
from nftnsr.report.operations import operation_lines
from nftnsr.spec.document import Document
from nftnsr.spec.model import Router, Spec
from nftnsr.spec.problems import Path
from nftnsr.spec.reference import toml
from nftnsr.spec.words import header
from nftnsr.state.operations import Operation

_LONGEST = 48


@frozen
class Reason:
    """A key of a router; without a `line` it is not written, and `words` says what it is."""

    router: str
    key: str
    words: str
    file: str
    line: int | None

    def __str__(self) -> str:
        if self.line is None:
            return f"implied by {self.words}"
        return f"{_harmless(PurePath(self.file).name)}:{self.line} {self.words}"


Reasons: TypeAlias = tuple[Reason, ...]


class Explanation:
    """Why everything that the routers of a spec amount to is there."""

    def __init__(self, spec: Spec, documents: Sequence[Document]) -> None:
        self._routers = [
            _Explained(router, document)
            for router in spec.routers
            for document in documents
            if router.name in document.data["router"]
        ]

    def of(self, line: Line) -> Reasons:
        """Those of a line of the script: what is written before what is implied, each time the
        particular first.
        """
        found = (reason for router in self._routers for reason in router.of(line))
        return tuple(sorted(found, key=lambda reason: reason.line is None))

    @property
    def remarks(self) -> Iterator[str]:
        """The arrays of which no element is named."""
        return (remark for router in self._routers for remark in router.remarks())

    def of_rule(self, router: str, chain: str, rule: str) -> Reasons:
        """Those of a rule, or of a chain's declaration, as the compiled ruleset has it."""
        return self.of(Line(router, f"chain {chain}", rule))

    def of_operation(self, operation: Operation) -> Reasons:
        """Those of the command that an operation of the first apply is."""
        return tuple(r for text in operation_lines(operation) for r in self.of(Line("", "", text)))

    def of_element(self, router: str, name: str, element: str) -> Reasons:
        """Those of an element of a set or a map, `key` or `key : value`."""
        kinds = ("map", "set")
        return tuple(r for kind in kinds for r in self.of(Line(router, f"{kind} {name}", element)))


class _Explained:
    """One router, and the document that has it."""

    def __init__(self, router: Router, document: Document) -> None:
        self._router = router
        self._document = document
        self._reasons: dict[Path, Reason] = {}

    @cached_property
    def _causes(self) -> Causes:
        router = self._router
        return causes(self._document.file, router, self._document.data["router"][router.name])

    def remarks(self) -> Iterator[str]:
        for path, array in long_arrays(self._document.data["router"][self._router.name]):
            if len(array) > TOLD_APART:
                most = f"no single one of {len(array)} elements is named, {TOLD_APART} at most are"
                yield f"{self._reason(path)}: {most}"

    def of(self, line: Line) -> Reasons:
        return tuple(map(self._reason, self._causes.get(line, ())))

    def _reason(self, path: Path) -> Reason:
        if path not in self._reasons:
            self._reasons[path] = self._told(path)
        return self._reasons[path]

    def _told(self, path: Path) -> Reason:
        document, name = self._document, self._router.name
        whole = (document.file, "router", name, *path)
        if not path:
            key = header(("router", name))
            return Reason(name, key, key, document.file, document.line_of(whole))
        names = [each for each in path if isinstance(each, str)]
        key = header(names)[1:-1]
        if not document.writes(whole):
            return Reason(name, key, f"{key} = {toml(default_of(path))}", document.file, None)
        source = document.source_of(whole)
        equals = "" if len(names) < len(path) else "= "
        words = key if source is None or "\n" in source else f"{key} {equals}{_short(source)}"
        return Reason(name, key, words, document.file, document.line_of(whole))


def _short(source: str) -> str:
    text = _harmless(source)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _harmless(text: str) -> str:
    """Without anything that would end a comment of a script, or that a terminal could obey."""
    return "".join(c if c.isprintable() else " " for c in text)
