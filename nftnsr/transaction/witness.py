"""The witness of a full check: sees that nothing changes meanwhile, and seals the answer.

A reading is taken before the check looks at anything and again after it. If both are the same and
nothing was noticed in between, which could have come and gone, the answer belongs to the reading,
and the next `diff` that takes the same one may give that answer. What can change without a trace
in a reading is never sealed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define

from nftnsr.kernel import reading
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.notices import Notices
from nftnsr.kernel.reading import Unreadable, View
from nftnsr.kernel.scope import Scope
from nftnsr.spec.model import Spec
from nftnsr.state.model import HOST, PARKED, Address, Item, Link, Set, State, Table
from nftnsr.state.words import TABLE
from nftnsr.transaction import run, seals
from nftnsr.transaction.records import write_whole

_KEPT = 32
"""Seals kept at most: specs of passing names leave one each."""


@define
class Witness:
    """What was read before the check looked; None of what cannot be sealed."""

    specs: Sequence[str]
    files: str | None = None
    view: View | None = None
    kernel: str | None = None
    disturbed: bool = True
    """Whether anything has changed during the check, or nobody listened."""
    _notices: Notices | None = None

    @classmethod
    def of(cls, specs: Sequence[str]) -> Witness:
        """A witness from now on; the specs are read after this."""
        with suppress(OSError, ValueError, Unreadable):
            return cls(specs, reading.files(seals.evidence(specs)))
        return cls(specs)

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *_: object) -> None:
        if self._notices is not None:
            self.disturbed = bool(self._notices.wait(0))
            self._notices.close()

    def observe(self, machine: Machine, scope: Scope) -> State:
        """What there is, with a reading taken before."""
        self.view = view(scope)
        with suppress(OSError, KernelError, Unreadable):
            self._notices = Notices()
            self._notices.attend([scope])
            self._notices.wait(0)  # to attend makes itself be heard
            self.kernel = reading.kernel(self.view)
        return machine.observe(scope)

    def seal(self, document: object, spec: Spec, scope: Scope, found: State) -> None:
        """Seal `document` as the answer for what was `found`, if that can be and nothing changed.

        A seal that cannot be written is only a slower answer next time.
        """
        if None in (self.files, self.kernel) or self.disturbed or not tells_all(scope, found):
            return
        with suppress(OSError, ValueError, KernelError, Unreadable):
            # They were read at some time since the process started; so are they older than that.
            names = sorted({*reading.code(), *map(os.path.abspath, spec.beside)})
            seal = {
                "clock": run.clock(),
                "files": reading.files(seals.evidence(self.specs)),
                "names": names,
                "loaded": reading.loaded(names),
                "view": self.view,
                "kernel": reading.kernel(self.view or {}),
                "document": document,
            }
            if (seal["files"], seal["kernel"]) == (self.files, self.kernel):
                _write(Path(seals.place(self.specs)), json.dumps(seal))


def view(scope: Scope) -> View:
    """What a reading must hold of all that `scope` names."""
    spaces = (HOST, *sorted(scope.namespaces))
    settings = {name: sorted(p for n, p in scope.sysctls if n == name) for name in spaces}
    known = {mac for one in scope.identities for mac in (*one.macs, one.permanent) if mac}
    look: View = {name: {"sysctls": paths} for name, paths in settings.items()}
    for space in filter(scope.shares, spaces):
        uplinks = known if space == HOST else set()
        look[space] |= {
            "links": sorted(dev for name, dev in scope.links if name == space),
            "macs": sorted(uplinks | {mac for name, _, mac in scope.macs if name == space}),
            "tables": sorted(table for name, _, table in scope.tables if name == space),
            "labels": [PARKED],
        }
    return look


def tells_all(scope: Scope, found: State) -> bool:
    """Whether nothing of what was found can change, or end, without a trace in a reading."""
    items = (item for space in found.namespaces.values() for item in space.items)
    at_home = any(found[HOST].link(uplink) for uplink in scope.uplinks)  # all its sysctls count
    return not at_home and not any(map(_passes, items))


def _passes(item: Item) -> bool:
    match item:
        case Table(family, name):
            return (family, name) != TABLE  # a handover, which ends with its connections
        case Address(label=label):
            return label == PARKED
        case Link(lower=lower, master=master):
            # They are compared by name, and a reading only holds their numbers.
            return lower is not None or master is not None
        case Set(lines=lines):
            # Elements that time out, or that packets add, come and go without a commit.
            return any(word in line for line in lines for word in ("timeout", "dynamic"))
        case _:
            return False


def _write(path: Path, text: str) -> None:
    run.directory()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(path, text)
    for old in sorted(path.parent.iterdir(), key=lambda p: p.stat().st_mtime_ns)[:-_KEPT]:
        old.unlink(missing_ok=True)
