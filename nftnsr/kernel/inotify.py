"""inotify(7), which also tells of what programs write to files below /proc/sys."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from nftnsr.kernel.errors import KernelError

MODIFY = 0x2
# Closed after writing, moved in or out, made, deleted: what can change the contents of a name.
ENTRIES = 0x8 | 0x40 | 0x80 | 0x100 | 0x200
_CLOEXEC, _NONBLOCK = 0o2000000, 0o4000
_EVENT = struct.Struct("=iIII")
_BUFFER = 1 << 16

# inotify_init1(2), inotify_add_watch(2)
_LIMITS = {
    errno.EMFILE: "fs.inotify.max_user_instances",
    errno.ENOSPC: "fs.inotify.max_user_watches",
}

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """An inotify instance; a file or directory is known by the number that `watch` returns."""

    def __init__(self) -> None:
        self._descriptor = _checked(_libc.inotify_init1(_CLOEXEC | _NONBLOCK), "inotify")

    def fileno(self) -> int:
        return self._descriptor

    def watch(self, path: Path | str, mask: int) -> int:
        """Hear of `path`; the same file gets the same number again. OSError if it is not there."""
        result = _libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
        return _checked(result, str(path))

    def forget(self, number: int) -> None:
        # EINVAL: the file has gone, and the watch with it.
        _libc.inotify_rm_watch(self._descriptor, number)

    def read(self) -> Iterator[tuple[int, str]]:
        """The number, and the name inside a directory, of each event that has come.

        The number is -1 where the kernel had no room for more: anything may have happened then.
        """
        while True:
            try:
                data = os.read(self._descriptor, _BUFFER)
            except BlockingIOError:
                return
            start = 0
            while start < len(data):
                number, _, _, length = _EVENT.unpack_from(data, start)
                start += _EVENT.size + length
                yield number, os.fsdecode(data[start - length : start].rstrip(b"\0"))

    def close(self) -> None:
        os.close(self._descriptor)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        if (limit := _LIMITS.get(number)) is not None:
            more = f"sysctl {limit} says how many one user may have; raise it, or end who has them"
            raise KernelError(f"the kernel gives no more of inotify: {os.strerror(number)}", more)
        raise OSError(number, os.strerror(number), what)
    return result
