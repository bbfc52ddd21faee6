"""`sysctls`: settings of the namespace, by the names that sysctl(8) takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import values
from .draft import At, Many
from .model import Setting
from .problems import Path
from .table import Table
from .values import Unreadable, unreadable
from .words import kind_of, quoted


def read(table: Table) -> Many[Setting]:
    """Every setting; keys may be quoted names or, unquoted, tables in tables."""
    raw = table.table("sysctls") or {}
    found: list[At[Setting]] = []
    whole = True
    for path, words, value in _leaves(raw, (*table.path, "sysctls"), ()):
        try:
            found.append(At(path, Setting(values.sysctl_path(words), _value(value))))
        except Unreadable as error:
            table.flaws(path, error)
            whole = False
    return Many(tuple(found), whole)


def _leaves(
    raw: dict[str, Any], path: Path, words: tuple[str, ...]
) -> Iterator[tuple[Path, tuple[str, ...], object]]:
    for key, value in raw.items():
        # `net.ipv4` in quotes is two words, as in the whole name of a setting.
        here = (*words, *(values.sysctl_words(key) if not words else (key,)))
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key), here)
        else:
            yield (*path, key), here, value


def _value(value: object) -> str:
    if isinstance(value, bool):
        raise unreadable("a setting is no boolean", f"write {int(value)}")
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise unreadable(f"a setting must be an integer or a string, not {kind_of(value)}")
    text = " ".join(value.split())
    if not text or not text.isprintable():
        raise unreadable(f"a setting cannot be {quoted(value)}")
    return text
