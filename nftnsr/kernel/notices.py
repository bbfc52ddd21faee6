"""The kernel's own notices of change: what waits here polls nothing.

Nothing tells of a proxied neighbour that comes or goes (Linux 6.18): who must know looks.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from attrs import frozen

from nftnsr.kernel import namespaces
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.inotify import ENTRIES, MODIFY, Inotify
from nftnsr.kernel.multicast import BUFFER, Multicast, namespace_number
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.scope import Scope
from nftnsr.kernel.sysctl import ROOT
from nftnsr.state.model import HOST, Address_

Notice = Literal["kernel", "transactions", "files", "request"]

_RTMGRP_LINK = 1
_MOUNTS = "/proc/self/mountinfo"


@frozen
class Files:
    """Files of one directory: those whose names are `wanted`, and what is noticed of them."""

    directory: Path
    wanted: Callable[[str], bool]
    notice: Notice


class Notices:
    """Hears of every change in the host and in the namespaces of a scope, and of files.

    It must be opened in the host's namespace, and is in no other: a namespace that is deleted
    ends. `request`, if given, is a descriptor that is waited for, too.
    """

    def __init__(self, request: int | None = None, buffer: int = BUFFER) -> None:
        self._rtnetlink = Multicast.rtnetlink(buffer)
        self._nftables = Multicast.nftables(buffer)
        self._inotify = Inotify()
        # Readable (EPOLLPRI) when the mounts have changed. A namespace has its name from the
        # mount, which comes after the file: inotify on the directory would tell too early.
        self._mounts = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        self._request = request
        self._poll = select.epoll()
        for each in (self._rtnetlink.fileno(), self._nftables.fileno(), self._inotify.fileno()):
            self._poll.register(each, select.EPOLLIN)
        if request is not None:
            self._poll.register(request, select.EPOLLIN)
        self._poll.register(self._mounts, select.EPOLLPRI)
        self._named = namespaces.named()
        self._numbers: dict[str, int] = {}
        self._neighbours: set[bytes] = set()
        self._sysctls: dict[int, int] = {}
        """Descriptor of a file below /proc/sys -> the number by which inotify tells of it."""
        self._files: dict[int, list[Files]] = {}

    def attend(self, scopes: Collection[Scope], neighbours: Collection[Address_] = ()) -> bool:
        """Hear of all that `scopes` speak of, from now on; whether some of it was unheard before.

        What was made anew (a namespace, a link with its settings) has to be attended to again.
        Of the static `neighbours` every change is noticed, of others only that they come.
        """
        news = not self._neighbours >= (addresses := {a.packed for a in neighbours})
        self._neighbours = addresses
        for name in sorted({name for scope in scopes for name in scope.namespaces}):
            number = namespace_number(namespaces.NETNS_DIR / name)
            # One that has lost its name may live on, and keeps its number.
            if number is not None and self._numbers.get(name) != number:
                self._numbers[name] = number
                news = True
        sysctls = {sysctl for scope in scopes for sysctl in scope.sysctls}
        opened = {fd: self._inotify.watch(f"/proc/self/fd/{fd}", MODIFY) for fd in _opened(sysctls)}
        old, self._sysctls = self._sysctls, opened
        for each in {*old.values()} - {*opened.values()}:
            self._inotify.forget(each)
        for descriptor in old:
            os.close(descriptor)
        return news or not {*opened.values()} <= {*old.values()}

    def attend_to_files(self, files: Iterable[Files]) -> None:
        """Hear of these files from now on, and of no others; a missing directory is passed over."""
        old, self._files = self._files, {}
        for each in files:
            with suppress(OSError):
                number = self._inotify.watch(each.directory, ENTRIES)
                self._files.setdefault(number, []).append(each)
        for number in old.keys() - self._files.keys():
            self._inotify.forget(number)

    def wait(self, seconds: float | None) -> frozenset[Notice]:
        """What is noticed within `seconds` (None: for ever); nothing, also when it was of no
        concern."""
        return frozenset(n for fd, _ in self._poll.poll(seconds) for n in self._taken(fd))

    def close(self) -> None:
        self._poll.close()
        for descriptor in (self._mounts, *self._sysctls):
            os.close(descriptor)
        for each in (self._rtnetlink, self._nftables, self._inotify):
            each.close()

    def __enter__(self) -> Notices:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self, descriptor: int) -> Iterator[Notice]:
        if descriptor == self._request:
            yield "request"
        elif descriptor == self._inotify.fileno():
            yield from self._of_files()
        elif descriptor == self._mounts:
            named = namespaces.named()
            if named != self._named:
                self._named = named
                yield "kernel"
        else:
            it = self._rtnetlink if descriptor == self._rtnetlink.fileno() else self._nftables
            if it.heard({*self._numbers.values()}, self._neighbours):
                yield "kernel"

    def _of_files(self) -> Iterator[Notice]:
        for number, name in self._inotify.read():
            if number == -1:
                yield from get_args(Notice)
            elif number in self._sysctls.values():
                yield "kernel"
            # Of what is heard no more comes one last event, that it is so.
            yield from (f.notice for f in self._files.get(number, ()) if f.wanted(name))


def _opened(sysctls: Collection[tuple[str, str]]) -> Iterator[int]:
    """Descriptors of those of (namespace, path) that are there; only their namespace shows them."""
    for name in sorted({space for space, _ in sysctls} & {HOST, *namespaces.names()}):
        paths = sorted(path for space, path in sysctls if space == name)
        if name == HOST:
            yield from _open(paths)
            continue
        # It may end at any moment.
        with suppress(KernelError), Room.named(name) as room:
            yield from room.run(_open, paths)


def _open(paths: Iterable[str]) -> tuple[int, ...]:
    found = []
    for path in paths:
        # Open, a file keeps what inotify knows it by, which the kernel forgets when memory is
        # short (the dentry). It does not keep the namespace.
        with suppress(OSError):
            found.append(os.open(ROOT / path, os.O_PATH | os.O_CLOEXEC))
    return tuple(found)


def wait_for_links(there: Callable[[], bool], seconds: float) -> bool:
    """Whether `there()` gets true in time; it is asked whenever a link of the caller's namespace
    has changed. A signal that raises (Ctrl-C) ends the wait."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as notices:
        # Listening comes before asking: what comes in between is not missed.
        notices.bind((0, _RTMGRP_LINK))
        while not there():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if select.select([notices], [], [], left)[0]:
                _drain(notices)
    return True


def _drain(notices: socket.socket) -> None:
    # ENOBUFS: more came than the socket could hold, which is news enough.
    with suppress(OSError):
        while notices.recv(65536, socket.MSG_DONTWAIT):
            pass
