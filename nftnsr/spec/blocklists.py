"""Block lists: files with a network or an address on each line, as their publishers write them.

What follows a `#` or a `;` is a comment. A line that is neither empty nor a network is a fault of
the spec, since a list that is read in part would let in what somebody meant to keep out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Final

from .draft import At, Many
from .model import Blocklist, Network
from .rules.overlaps import bounds
from .table import Table
from .values import Flaw, Unreadable, network_or_address
from .words import kind_of, quoted

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_COMMENT: Final = re.compile(r"\s*[#;].*")
_TOLD: Final = 5


def read(table: Table) -> Many[Blocklist]:
    """The lists that `blocklists` names, read from their files, which lie beside the spec."""
    raw = table.get("blocklists")
    if raw is None:
        return Many()
    if not isinstance(raw, dict):
        message = f"`blocklists` must be a table of names and files, not {kind_of(raw)}"
        table.fault("blocklists", message, 'write blocklists = { drop = "drop.txt" }')
        return Many(whole=False)
    found = []
    for name, file in raw.items():
        path = (*table.path, "blocklists", name)
        if not _NAME.fullmatch(name):
            hint = "letters, digits, _ and -, 31 at most, a letter first"
            table.fault_at(path, f"{quoted(name)} cannot name a block list", hint, on_key=True)
        elif not isinstance(file, str):
            message = f"a block list must be the name of a file, not {kind_of(file)}"
            table.fault_at(path, message, f'write {name} = "{name}.txt"')
        else:
            place = FilePath(str(path[0])).parent / file
            if (networks := _load(table, path, place)) is not None:
                found.append(At(path, Blocklist(name, file, networks, str(place))))
    return Many(tuple(found), whole=len(found) == len(raw))


def _load(table: Table, path: tuple[str | int, ...], place: FilePath) -> tuple[Network, ...] | None:
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        table.fault_at(path, f"block list {place} cannot be read: {reason}")
        return None
    networks, wrong = _parsed(text)
    for number, flaw in wrong[:_TOLD]:
        table.fault_at(path, f"{place}:{number}: {flaw.message}", flaw.hint)
    if len(wrong) > _TOLD:
        table.fault_at(path, f"{place}: {len(wrong) - _TOLD} more lines like these")
    return None if wrong else tuple(_disjoint(networks))


def _parsed(text: str) -> tuple[list[Network], list[tuple[int, Flaw]]]:
    """The networks, and what is wrong with which lines."""
    networks: list[Network] = []
    wrong: list[tuple[int, Flaw]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if word := _COMMENT.sub("", line).strip():
            try:
                networks.append(network_or_address(word))
            except Unreadable as error:
                wrong.append((number, error.flaws[0]))
    return networks, wrong


def _disjoint(networks: Iterable[Network]) -> Iterator[Network]:
    """Without those that lie in others: an interval set takes no elements that overlap.

    Two networks have nothing in common, or one lies in the other.
    """
    every = {(n.version, *bounds(n)): n for n in networks}
    version, end = 0, -1
    # Of those that begin alike the widest comes first.
    for key in sorted(every, key=lambda key: (key[0], key[1], -key[2])):
        if key[0] != version or key[2] > end:
            version, _, end = key
            yield every[key]
