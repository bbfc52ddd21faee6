"""The rooms in which a machine works: one in each namespace, opened when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define, field

from nftnsr.kernel import holders, namespaces
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.messages import Message
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.state.model import HOST, OURS

T = TypeVar("T")


@define
class Furniture:
    """The handles of one namespace, made and used in its room only."""

    rtnetlink: Rtnetlink = field(factory=Rtnetlink)
    nftables: Nftables = field(factory=Nftables)


@define
class Inhabited:
    """An open room; `nameless` is what opens its namespace where that has no name."""

    room: Room
    furniture: Furniture
    nameless: str | None = None

    @classmethod
    def enter(cls, room: Room, nameless: str | None = None) -> Inhabited:
        try:
            return cls(room, room.run(Furniture), nameless)
        except BaseException:
            room.close()
            raise

    def links(self) -> dict[str, Message]:
        return self.room.run(self.furniture.rtnetlink.links)

    def close(self) -> None:
        self.room.run(self.furniture.rtnetlink.close)
        self.room.close()


@define
class Rooms:
    """Open rooms by the names of their namespaces; the calling thread's is the host's."""

    _open: dict[str, Inhabited] = field(factory=dict)

    def close(self) -> None:
        for name in tuple(self._open):
            self.leave(name)

    def leave(self, name: str) -> None:
        # An open room keeps its namespace, and the links in it, alive.
        if inhabited := self._open.pop(name, None):
            inhabited.close()

    def exists(self, name: str) -> bool:
        """Whether there is such a namespace: by its name, or found without one."""
        if name == HOST or name in namespaces.names():
            return True
        inhabited = self._open.get(name)
        return inhabited is not None and inhabited.nameless is not None

    def run(self, name: str, function: Callable[[Furniture], T]) -> T:
        """Call `function` in the room of a namespace, with its furniture."""
        inhabited = self._inhabited(name)
        return inhabited.room.run(function, inhabited.furniture)

    def with_descriptor(self, name: str, function: Callable[[int], Any]) -> None:
        descriptor = self._inhabited(name).room.descriptor()
        try:
            function(descriptor)
        finally:
            os.close(descriptor)

    def inode(self, name: str) -> int:
        """The number of a namespace, by which all that holds it can be told."""
        return self._inhabited(name).room.inode()

    def cookie(self, name: str) -> int:
        """What names a namespace until the next boot, its number being given away at its end."""
        return self._inhabited(name).room.cookie()

    def nameless(self, name: str) -> str | None:
        """What opens a namespace that has lost its name; None for one that has it."""
        inhabited = self._open.get(name)
        return None if inhabited is None else inhabited.nameless

    def attach(self, name: str) -> None:
        """Give a nameless namespace its name again."""
        inhabited = self._inhabited(name)
        namespaces.attach(name, inhabited.room)
        inhabited.nameless = None

    def look_again(self) -> None:
        """Leave the rooms whose names belong to other namespaces by now."""
        for name, inhabited in tuple(self._open.items()):
            named = holders.inode_of(namespaces.NETNS_DIR / name) if name != HOST else None
            if named is not None and named != inhabited.room.inode():
                self.leave(name)

    def find(self, name: str, is_it: Callable[[int, Mapping[str, Message]], bool]) -> bool:
        """Look for a namespace of ours that has lost its name, and enter it.

        `is_it` is given the number by which links of the host name it, and the links in it.
        """

        def ours(inhabited: Inhabited) -> bool:
            links = inhabited.links()
            if "lo" not in links or links["lo"].get("ifalias") != OURS:
                return False
            descriptor = inhabited.room.descriptor()
            try:
                number = self.run(HOST, lambda f: f.rtnetlink.namespace_number(descriptor))
            finally:
                os.close(descriptor)
            return is_it(number, links)

        if (left := self._open.get(name)) is not None and ours(left):
            # Deleted while this very process was in it.
            left.nameless = left.room.path()
            return True
        seen = {self.inode(HOST), *namespaces.inodes()}
        for holder in holders.every():
            if holder.inode in seen:
                continue
            seen.add(holder.inode)
            with suppress(KernelError, OSError):  # it may let go of it at any moment
                path = holder.path if holder.kind != "socket" else None
                inhabited = Inhabited.enter(Room.held(holder), path)
                if ours(inhabited):
                    inhabited.nameless = path or inhabited.room.path()
                    self.leave(name)
                    self._open[name] = inhabited
                    return True
                inhabited.close()
        return False

    def _inhabited(self, name: str) -> Inhabited:
        if name not in self._open:
            room = Room.here() if name == HOST else Room.named(name)
            self._open[name] = Inhabited.enter(room)
        return self._open[name]
