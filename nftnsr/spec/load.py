"""Files to specs: reads, checks, and gathers every problem of every file into one SpecError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path as FilePath
from typing import Any, Final

from .document import Document
from .draft import RouterDraft
from .model import Spec
from .problems import Fault, Problem, SpecError
from .reader import read
from .rules import machine_faults, router_faults

_REASONS: Final = {
    errno.ENOENT: "there is no such file",
    errno.EISDIR: "this is a directory, not a file",
    errno.EACCES: "this file may not be read by this user",
}


def parse(text: str | bytes, file: str) -> Spec:
    """The spec in `text`; `file` is what problems call it."""
    return _finished([_document(text, file)])


def load(path: str | os.PathLike[str]) -> Spec:
    """The spec in one file."""
    return _finished([_opened(path)])


def load_each(paths: Iterable[str | os.PathLike[str]]) -> tuple[Spec, ...]:
    """The specs of several files, each of which says all of a machine."""
    specs: list[Spec] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            specs.append(load(path))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(tuple(problems))
    return tuple(specs)


def load_all(paths: Iterable[str | os.PathLike[str]]) -> Spec:
    """The routers of several files, which must be able to live on one machine."""
    return load_located(paths)[0]


def load_located(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[Spec, tuple[Document, ...]]:
    """The same, and the documents, which know where each key is written."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents.append(_opened(path))
        except SpecError as error:
            problems += error.problems
    return _finished(documents, problems), tuple(documents)


def reread(file: str, name: str, table: Mapping[str, Any]) -> tuple[RouterDraft, Iterator[Fault]]:
    """A router if this were its table, and what would be wrong with it.

    What cannot be read is as if it were not written.
    """
    faults: list[Fault] = []
    (draft,) = read(file, {"router": {name: table}}, faults)
    return draft, chain(faults, router_faults(draft), machine_faults((draft,)))


def _opened(path: str | os.PathLike[str]) -> Document:
    file = os.fspath(path)
    try:
        content = FilePath(path).read_bytes()
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or "it cannot be read")
        raise SpecError((Problem(file, None, None, None, reason),)) from None
    except ValueError as error:
        raise SpecError((Problem(file, None, None, None, str(error)),)) from None
    return _document(content, file)


def _document(text: str | bytes, file: str) -> Document:
    # A str can hold lone surrogates, which are as little UTF-8 as stray bytes are.
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    try:
        return Document(file, content.decode())
    except UnicodeDecodeError as error:
        raise SpecError((_not_utf8(content, file, error.start),)) from None


def _not_utf8(content: bytes, file: str, position: int) -> Problem:
    start = content.rfind(b"\n", 0, position) + 1
    line = content.count(b"\n", 0, position) + 1
    column = len(content[start:position].decode()) + 1
    source = content[start:].split(b"\n", 1)[0].decode(errors="replace").rstrip("\r")
    message = f"byte 0x{content[position]:02x} is not UTF-8"
    hint = "a spec is written in UTF-8"
    return Problem(file, line, column, column + 1, message, hint, source)


def _finished(documents: Sequence[Document], problems: Iterable[Problem] = ()) -> Spec:
    faults: list[Fault] = []
    routers: list[RouterDraft] = []
    for document in documents:
        # Its own list: one file's faults must not hide that another one has no router.
        mine: list[Fault] = []
        routers += read(document.file, document.data, mine)
        faults += mine
    for router in routers:
        faults += router_faults(router)
    faults += machine_faults(routers)
    problems = [*problems, *_located(faults, documents)]
    if problems:
        raise SpecError(tuple(problems))
    return Spec(tuple(sorted((r.finished() for r in routers), key=lambda router: router.name)))


def _located(faults: Sequence[Fault], documents: Sequence[Document]) -> list[Problem]:
    """The faults at their places, in the order of the files and of their lines."""
    by_file = {document.file: document for document in documents}
    order = {file: rank for rank, file in enumerate(by_file)}
    problems = [
        by_file[str(fault.path[0])].problem(fault, _other_place(fault, by_file)) for fault in faults
    ]
    return sorted(problems, key=lambda p: (order[p.file], p.line or 0, p.column or 0, p.message))


def _other_place(fault: Fault, documents: dict[str, Document]) -> str | None:
    if fault.also is None:
        return None
    file = str(fault.also[0])
    line = documents[file].line_of(fault.also)
    same = file == fault.path[0]
    return f"line {line}" if same else f"{file}:{line}"
