"""Named network namespaces, as ip-netns(8) keeps them, and threads that live in one.

`setns(2)` moves the calling thread only, and a netlink or nftables handle stays where it was
opened. So each namespace gets a `Room`: a thread that entered it and in which everything that
concerns it runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from nftnsr.kernel import holders
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.holders import Holder
from nftnsr.kernel.setns import CLONE_NEWNET, check, cookie, enter, libc, setns

NETNS_DIR = Path("/run/netns")

_MS_BIND, _MS_REC, _MS_SHARED = 4096, 16384, 1 << 20
_MNT_DETACH = 2

# One heap for all threads (M_ARENA_MAX): libnftables in each room would keep one of its own, of
# 110 MiB after 60000 elements.
libc.mallopt(-8, 1)

P = ParamSpec("P")
T = TypeVar("T")


class Room:
    """A thread inside one network namespace; what `run` is given happens there.

    While a room is open its namespace stays alive, so close it before deleting the namespace.
    """

    def __init__(self, enter: Callable[[], object]) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="netns")
        try:
            self.run(enter)
        except BaseException:
            self.close()
            raise

    @classmethod
    def here(cls) -> Room:
        """A room in the namespace of the calling thread."""
        return cls(lambda: None)

    @classmethod
    def named(cls, name: str) -> Room:
        """A room in the namespace that `ip netns` calls `name`."""
        return cls(lambda: enter(NETNS_DIR / name))

    @classmethod
    def at(cls, path: Path) -> Room:
        """A room in the namespace behind any `/proc/PID/ns/net` or bind mount."""
        return cls(lambda: enter(path))

    @classmethod
    def held(cls, holder: Holder) -> Room:
        """A room in the namespace that something else keeps alive."""

        def step_in() -> None:
            descriptor = holders.open_namespace(holder)
            try:
                setns(descriptor, str(holder))
            finally:
                os.close(descriptor)

        return cls(step_in)

    @classmethod
    def scratch(cls) -> Room:
        """A room in a new, nameless namespace that ends with the room."""
        return cls(lambda: check(libc.unshare(CLONE_NEWNET), "unshare", "network namespace"))

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the room and return what it returns, or raise what it raises."""
        return self._executor.submit(function, *args, **kwargs).result()

    def descriptor(self) -> int:
        """An open file descriptor of the namespace; the caller closes it."""
        return self.run(os.open, "/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def inode(self) -> int:
        """The number of this namespace, by which /proc tells it from others while it lives."""
        return self.run(os.stat, "/proc/thread-self/ns/net").st_ino

    def cookie(self) -> int:
        """The number that names this namespace until the next boot."""
        return self.run(cookie)

    def path(self) -> str:
        """What opens this namespace for as long as the room is open."""
        thread = self.run(os.readlink, "/proc/thread-self")
        return f"/proc/{thread}/ns/net"

    def close(self) -> None:
        self._executor.shutdown(wait=True)

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def holding(inode: int, cookie: int) -> tuple[Holder, ...]:
    """What holds the namespace of this number and cookie, each process once for each way."""
    found = holders.holders(inode)
    for holder in found:
        # It may let go at any moment; and the kernel gives the number of a namespace that has
        # ended to the next one, but never a cookie.
        with suppress(KernelError, OSError), Room.held(holder) as room:
            return found if room.cookie() == cookie else ()
    return ()


def names() -> tuple[str, ...]:
    """The names under /run/netns, sorted; a plain file there is no namespace."""
    return tuple(sorted(named()))


def inodes() -> frozenset[int]:
    """The numbers of all namespaces that have a name."""
    return frozenset(named().values())


def named() -> dict[str, int]:
    """The number of each namespace that has a name."""
    # A namespace file is on nsfs; the rest of a creation that was cut off is on /run's tmpfs.
    nsfs = Path("/proc/self/ns/net").stat().st_dev
    found = {}
    with suppress(FileNotFoundError):
        for path in NETNS_DIR.iterdir():
            # Any of them may go at any moment.
            with suppress(FileNotFoundError):
                stat = path.stat()
                if stat.st_dev == nsfs:
                    found[path.name] = stat.st_ino
    return found


def create(name: str, furnish: Callable[[], object]) -> None:
    """Make a namespace, `furnish` it from inside, and only then give it its name.

    Nobody ever sees the name without what `furnish` put there; a crash before the last step
    leaves nothing, since a namespace without name, process or socket ends.
    """
    with Room.scratch() as room:
        room.run(furnish)
        attach(name, room)


def attach(name: str, room: Room) -> None:
    """Name the namespace of a room."""
    _share_directory()
    path = NETNS_DIR / name
    if name in names():
        raise KernelError(f"network namespace {name} exists already")
    # A plain file of that name is what a creation left that was cut off.
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    try:
        room.run(_bind, b"/proc/thread-self/ns/net", path)
    except BaseException:
        path.unlink()
        raise


def delete(name: str) -> None:
    """Take the name away; the namespace ends when no process and no socket is in it any more."""
    path = NETNS_DIR / name
    # A file without a mount on it is the rest of a creation that was cut off.
    libc.umount2(os.fsencode(path), _MNT_DETACH)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise KernelError(f"cannot delete network namespace {name}: {error.strerror}") from error


def _share_directory() -> None:
    """Make /run/netns a shared mount, so that names reach other mount namespaces (ip-netns(8))."""
    NETNS_DIR.mkdir(parents=True, exist_ok=True)
    directory = os.fsencode(NETNS_DIR)
    if libc.mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None) == 0:
        return
    # EINVAL: it is no mount point yet; mounted on itself it becomes one.
    _bind(directory, NETNS_DIR, _MS_REC)
    check(libc.mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None), "mount", str(NETNS_DIR))


def _bind(source: bytes, target: Path, flags: int = 0) -> None:
    result = libc.mount(source, os.fsencode(target), b"none", _MS_BIND | flags, None)
    check(result, "mount", str(target))
