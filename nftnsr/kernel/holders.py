"""What keeps a network namespace alive: processes, sockets, open files and bind mounts.

A namespace without a name goes on for as long as any of them does, with all the links in it. So
this is how one is found again that was deleted behind our back, and what `down` tells about one
that goes on, empty, without us.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from attrs import field, frozen

_PROC = Path("/proc")
_SIOCGSKNS = 0x894C
_FIRST_INODE = 0xF0000000  # PROC_DYNAMIC_FIRST: namespaces are numbered from here
_SYS_PIDFD_GETFD = 438  # the same on every architecture (Linux 5.6)
_libc = ctypes.CDLL(None, use_errno=True)

Kind = Literal["process", "file", "mount", "socket"]


@frozen
class Holder:
    """One thing that holds the network namespace of number `inode`."""

    inode: int
    kind: Kind
    pid: int
    command: str
    path: str = field(default="", eq=False)
    """What opens the namespace; of a socket, the link to it below /proc."""

    def __str__(self) -> str:
        who = f"process {self.pid} ({self.command})"
        match self.kind:
            case "process":
                return who
            case "file":
                return f"an open file of {who}"
            case "socket":
                return f"a socket of {who}"
            case "mount":
                mounted = self.path.split("/root", 1)[-1]
                return f"a bind mount on {mounted}, seen by {who}"


def holders(inode: int) -> tuple[Holder, ...]:
    """All that holds one namespace, each process once for each way in which it does."""
    return tuple(dict.fromkeys(h for h in every() if h.inode == inode))


def every() -> Iterator[Holder]:
    """All holders of all network namespaces, what is cheap to find first."""
    pids = sorted(int(p.name) for p in _PROC.iterdir() if p.name.isdigit())
    for find in (_processes, _files, _mounts(), _sockets):
        for pid in pids:
            # A process may end at any moment while it is looked at.
            with suppress(OSError):
                yield from find(pid)


def open_namespace(holder: Holder) -> int:
    """A file descriptor of the namespace that `holder` holds; OSError if it let go of it."""
    if holder.kind == "socket":
        return _namespace_of_socket(holder.pid, int(Path(holder.path).name))
    return os.open(holder.path, os.O_RDONLY | os.O_CLOEXEC)


def inode_of(path: Path) -> int | None:
    """The number of the namespace behind a path, or None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _processes(pid: int) -> Iterator[Holder]:
    # Each thread has a namespace of its own choice; nearly always all have the same.
    for task in (_PROC / str(pid) / "task").iterdir():
        path = task / "ns/net"
        if inode := inode_of(path):
            yield Holder(inode, "process", pid, _command(pid), str(path))


def _files(pid: int) -> Iterator[Holder]:
    for path, target in _descriptors(pid):
        if target.startswith("net:["):
            yield Holder(int(target[5:-1]), "file", pid, _command(pid), str(path))
        elif target.startswith("/") and (inode := _namespace_opened(pid, path)):
            yield Holder(inode, "file", pid, _command(pid), str(path))


def _namespace_opened(pid: int, path: Path) -> int | None:
    """The number of the namespace that was opened by its name; the link shows no more than that."""
    with suppress(OSError):
        info = (_PROC / str(pid) / "fdinfo" / path.name).read_text()
        inode = next((int(line[4:]) for line in info.splitlines() if line.startswith("ino:")), 0)
        # No other file is looked at: it may be on a network file system whose server is gone.
        nsfs = Path("/proc/self/ns/net").stat().st_dev
        if inode >= _FIRST_INODE and path.stat().st_dev == nsfs:
            return inode
    return None


def _mounts() -> Callable[[int], Iterator[Holder]]:
    seen: set[int] = set()

    def find(pid: int) -> Iterator[Holder]:
        # All processes of one mount namespace see the same; the lowest pid speaks for them.
        space = (_PROC / str(pid) / "ns/mnt").stat().st_ino
        if space in seen:
            return
        seen.add(space)
        for line in (_PROC / str(pid) / "mountinfo").read_text().splitlines():
            words = line.split()
            if words[3].startswith("net:["):
                path = f"{_PROC}/{pid}/root{words[4]}"
                yield Holder(int(words[3][5:-1]), "mount", pid, _command(pid), path)

    return find


def _sockets(pid: int) -> Iterator[Holder]:
    for path, target in _descriptors(pid):
        if target.startswith("socket:["):
            with suppress(OSError):
                namespace = _namespace_of_socket(pid, int(path.name))
                inode = os.fstat(namespace).st_ino
                os.close(namespace)
                yield Holder(inode, "socket", pid, _command(pid), str(path))


def _namespace_of_socket(pid: int, number: int) -> int:
    """A socket does not tell its namespace by any name: a copy of its descriptor is asked."""
    process = os.pidfd_open(pid)
    try:
        copy = _libc.syscall(_SYS_PIDFD_GETFD, process, number, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            return fcntl.ioctl(copy, _SIOCGSKNS)
        finally:
            os.close(copy)
    finally:
        os.close(process)


def _descriptors(pid: int) -> Iterator[tuple[Path, str]]:
    for path in (_PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            yield path, str(path.readlink())


def _command(pid: int) -> str:
    return (_PROC / str(pid) / "comm").read_text().strip()
