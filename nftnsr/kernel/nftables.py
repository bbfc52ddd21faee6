"""The ruleset of the caller's namespace, through libnftables.

Text goes in and text comes out: JSON cannot say everything on libnftables 1.0.6 (maps with
concatenated data, priorities by name) and its errors carry no position. A context belongs to the
namespace in which it was made, so it is made where it is used.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from attrs import define, field

from nftnsr.kernel.errors import KernelError, Stale
from nftnsr.kernel.generation import generation
from nftnsr.kernel.namespaces import Room
from nftnsr.state.model import Block, Rule_, Set, Table
from nftnsr.state.ruleset import Counter, read_counters, read_listing, ruleset_text


def library() -> Any:
    """The Python binding of libnftables, or a KernelError that says how to get it."""
    install = "apt-get install libnftables1 (or nftables) provides it"
    try:
        import nftables
    except ImportError as error:
        raise KernelError("the Python binding of libnftables is missing",
                          "pip install oxl-libnftables, or apt-get install python3-nftables") \
            from error  # fmt: skip
    try:
        # Tried first: the binding's half-made object would complain about itself at its end.
        ctypes.CDLL("libnftables.so.1")
        return nftables.Nftables()
    except OSError as error:
        raise KernelError(f"libnftables cannot be loaded: {error}", install) from error


_ABSENT = os.strerror(errno.ENOENT)


@define
class Nftables:
    """The nftables of the namespace in which this object is made."""

    _nft: Any = field(factory=library)
    _seen: int | None = None
    """The generation of the ruleset as it was last read."""

    def run(self, commands: str) -> None:
        """Run nft commands as one transaction: all of them, or none and a KernelError."""
        self._command(commands)

    def replace(self, commands: str) -> None:
        """Run commands that were made from what `read` returned.

        Raises Stale if somebody else committed a change since, or in the same moment.
        """
        # A namespace that nobody has read yet is one that was just made.
        seen = generation() if self._seen is None else self._seen
        if generation() != seen:
            raise Stale("somebody else changed the ruleset meanwhile")
        self.run(commands)
        self._seen = seen + 1
        if generation() != self._seen:
            raise Stale("somebody else changed the ruleset in the same moment")

    def tables(self) -> tuple[tuple[str, str], ...]:
        """(family, name) of every table."""
        words = (line.split() for line in self._command("list tables").splitlines())
        return tuple((w[1], w[2]) for w in words if len(w) == 3)

    def read(self, tables: Iterable[tuple[str, str]]) -> tuple[Rule_, ...]:
        """Those of `tables` that exist, without counter values."""
        self._nft.set_stateless_output(True)
        self._seen = generation()
        return tuple(item for table in tables for item in read_listing(self._listing(table)))

    def text(self, tables: Iterable[tuple[str, str]]) -> str:
        """Those of `tables` that exist, as nft lists them, without counter values."""
        self._nft.set_stateless_output(True)
        return "".join(self._listing(table) for table in tables)

    def counters(self, table: tuple[str, str]) -> tuple[Counter, ...]:
        """Every counted element of the table's sets and maps."""
        self._nft.set_stateless_output(False)
        return tuple(read_counters(self._listing(table)))

    def _listing(self, table: tuple[str, str]) -> str:
        """A table as nft lists it, or nothing where it does not exist.

        Asking for the tables first would read every element of every set (libnftables 1.0.6).
        """
        code, output, errors = self._nft.cmd(f"list table {table[0]} {table[1]}")
        if code != 0 and _ABSENT not in errors:
            raise KernelError(f"the ruleset cannot be read:\n{errors.strip()}")
        return str(output) if code == 0 else ""

    def _command(self, commands: str) -> str:
        code, output, errors = self._nft.cmd(commands)
        if code != 0:
            raise KernelError(f"the kernel refused the ruleset:\n{errors.strip()}")
        return str(output)


# Always the same in one process, and for many forwards most of what a look takes.
@lru_cache(maxsize=16)
def normal_form(ruleset: tuple[Rule_, ...]) -> tuple[Rule_, ...]:
    """`ruleset` in the words in which this machine's nft lists it.

    It is loaded into a scratch namespace and listed there, which also proves that it loads.
    """
    if not ruleset:
        return ()
    tables = tuple(dict.fromkeys(i.key[1:] for i in ruleset if i.key[0] == "table"))

    def load_and_list() -> tuple[Rule_, ...]:
        nft = Nftables()
        try:
            nft.run(ruleset_text(ruleset))
        except KernelError as error:
            raise _unknown_helper(nft, ruleset) or error from None
        for _ in range(_LOOKS):
            listed = nft.read(tables)  # type: ignore[arg-type]
            if _elements(listed) == _elements(ruleset):
                break
            time.sleep(0.02)
        return listed

    with Room.scratch() as room:
        return room.run(load_and_list)


# The kernel's hash tables go on growing after a load, in the background, and who walks one
# meanwhile can miss elements or meet them twice (rhashtable_walk_next() in linux/rhashtable.h):
# seen with 60000 forwards on a busy machine.
_LOOKS = 10


def _elements(ruleset: Iterable[Rule_]) -> dict[tuple[object, ...], int]:
    """How many elements each set and map has."""
    return {item.key: len(item.elements) for item in ruleset if isinstance(item, Set)}


def _unknown_helper(nft: Nftables, ruleset: Iterable[Rule_]) -> KernelError | None:
    """What to say where it is a helper that the kernel has not: nft only tells that something is.

    (libnftables 1.0.6: "No such file or directory", under the first words of the text.)
    """
    for item in ruleset:
        if isinstance(item, Block) and item.kind == "ct helper":
            try:
                nft.run(ruleset_text((Table(*item.table), item)))
            except KernelError:
                name = item.lines[0].split('"')[1]
                return KernelError(
                    f'this kernel has no helper "{name}" for connection tracking',
                    f"load its module, nf_conntrack_{name}, or take it out of `helpers`",
                )
    return None
