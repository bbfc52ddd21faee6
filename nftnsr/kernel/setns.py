"""Into another network namespace: setns(2), which moves the calling thread and no other."""

from __future__ import annotations

import ctypes
import os
import socket

from nftnsr.kernel.errors import KernelError

CLONE_NEWNET = 0x40000000
_SO_NETNS_COOKIE = 71

libc = ctypes.CDLL(None, use_errno=True)


def enter(path: str | os.PathLike[str]) -> None:
    """Move the calling thread into the namespace behind `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        name = os.fspath(path).rpartition("/")[2]
        raise KernelError(f"there is no network namespace {name}") from None
    except OSError as error:
        raise KernelError(f"cannot open {os.fspath(path)}: {error.strerror}") from error
    try:
        setns(descriptor, os.fspath(path))
    finally:
        os.close(descriptor)


def setns(descriptor: int, what: str) -> None:
    check(libc.setns(descriptor, CLONE_NEWNET), "setns", what)


def cookie() -> int:
    """The number that names the caller's namespace until the next boot (SO_NETNS_COOKIE)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        raw = probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    return int.from_bytes(raw, "little")


def check(result: int, call: str, what: str) -> None:
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        hint = "run nftnsr as root" if os.geteuid() else None
        raise KernelError(f"{call} {what}: {reason}", hint)
