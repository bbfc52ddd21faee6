"""A child process with a network, and a file system for its records, of its own.

All of it ends with the process, whatever ends that: there is nothing to clean up.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from nftnsr.kernel.errors import KernelError

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1

_RUN, _STATE = Path("/run"), Path("/var/lib/nftnsr")
_BELOW_RUN = ("netns", "nftnsr")

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl PR_SET_PDEATHSIG")
    # It may have ended before.
    if os.getppid() != parent:
        os._exit(1)


def isolate() -> None:
    """Move this process, which has one thread, to a network and mounts that nobody else sees."""
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), "unshare network and mount namespace")
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount --make-rprivate /")
    # All of /run: so the sockets of the machine's own daemons are out of reach, too.
    _mount_tmpfs(_RUN)
    for name in _BELOW_RUN:
        (_RUN / name).mkdir(mode=0o700 if name == "nftnsr" else 0o755)
    # A missing mount point is not made: that would stay.
    _mount_tmpfs(_STATE if _STATE.is_dir() else _STATE.parent)
    _STATE.mkdir(mode=0o700, exist_ok=True)


def _mount_tmpfs(path: Path) -> None:
    flags = _MS_NOSUID | _MS_NODEV
    result = _libc.mount(b"nftnsr", os.fsencode(path), b"tmpfs", flags, b"mode=755")
    _check(result, f"mount tmpfs on {path}")


def _check(result: int, what: str) -> None:
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        hint = "run nftnsr as root" if os.geteuid() else None
        raise KernelError(f"{what}: {reason}", hint)
