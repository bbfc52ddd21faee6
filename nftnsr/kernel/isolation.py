"""A child process with a network, and a file system for its records, of its own.

All of it ends with the process, whatever ends that: there is nothing to clean up. Who may not have
that on this machine has it in a user namespace, as whose root nothing outside of it can be changed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress
from pathlib import Path

from nftnsr.kernel.errors import KernelError

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1

_RUN, _STATE = Path("/run"), Path("/var/lib/nftnsr")
_BELOW_RUN = ("netns", "nftnsr")

# What forbids user namespaces: a setting, the value at which it does, and one at which it does not.
# The first is of Debian's kernels, the second of Ubuntu's.
_SWITCHES = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "10000"),
    ("user.max_net_namespaces", "0", "10000"),
    ("user.max_mnt_namespaces", "0", "10000"),
)
# ENOSPC: a limit is reached; EACCES: AppArmor lets it be made, and nothing be done in it.
_FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSPC)

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl PR_SET_PDEATHSIG")
    # It may have ended before.
    if os.getppid() != parent:
        os._exit(1)


def isolate() -> None:
    """Move this process, which has one thread, to a network and mounts that nobody else sees."""
    if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        if ctypes.get_errno() != errno.EPERM:
            _check(-1, "unshare network and mount namespace")
        _become_root_of_its_own()
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        if ctypes.get_errno() != errno.EINVAL:
            _check(-1, "mount --make-rprivate /")
        raise KernelError(
            "/ is no mount point, as in a chroot, so what is mounted here would be seen elsewhere",
            "before the chroot make it one: mount --bind DIRECTORY DIRECTORY",
        )
    # All of /run: so the sockets of the machine's own daemons are out of reach, too.
    _mount_tmpfs(_RUN)
    for name in _BELOW_RUN:
        (_RUN / name).mkdir(mode=0o700 if name == "nftnsr" else 0o755)
    if _STATE.is_dir():
        _mount_tmpfs(_STATE)
    else:
        _cover(_STATE.parent)
        _STATE.mkdir(mode=0o700)
    if os.statvfs("/proc/sys").f_flag & os.ST_RDONLY:
        raise KernelError(
            "/proc/sys is read-only, as in a container, so no router can be made here",
            "start the container with --privileged, or run nftnsr outside of it",
        )


def _become_root_of_its_own() -> None:
    """As `unshare --map-root-user --net --mount` does it."""
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWNET
    _check(_libc.unshare(flags), "unshare user, network and mount namespace")
    # Without privilege, groups can be mapped only once none can be dropped (user_namespaces(7)).
    maps = {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}
    for name, text in maps.items():
        try:
            Path("/proc/self", name).write_text(text)
        except OSError as error:
            raise KernelError(f"write /proc/self/{name}: {error.strerror}", _hint()) from error


def _cover(path: Path) -> None:
    """Let a directory be a writable copy of itself: a mount point made in it does not stay."""
    below = [each.name for each in path.iterdir() if each.is_dir() and not each.is_symlink()]
    covered = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _mount_tmpfs(path)
    # This very program may lie in one of them (a workspace in /var/lib/jenkins).
    for name in below:
        (path / name).mkdir()
        source = f"/proc/self/fd/{covered}/{name}"
        flags = _MS_BIND | _MS_REC
        result = _libc.mount(os.fsencode(source), os.fsencode(path / name), None, flags, None)
        _check(result, f"mount --rbind {path / name}")
    os.close(covered)


def _mount_tmpfs(path: Path) -> None:
    flags = _MS_NOSUID | _MS_NODEV
    result = _libc.mount(b"nftnsr", os.fsencode(path), b"tmpfs", flags, b"mode=755")
    _check(result, f"mount tmpfs on {path}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise KernelError(
            f"{what}: {os.strerror(number)}", _hint() if number in _FORBIDDEN else None
        )


def _hint() -> str:
    """What forbids user namespaces here, as far as that can be found, and what would allow them."""
    for name, forbids, allows in _SWITCHES:
        with suppress(OSError):
            if Path("/proc/sys", name.replace(".", "/")).read_text().strip() == forbids:
                return f"{name} = {forbids} forbids it: run nftnsr as root, or set it to {allows}"
    return (
        "a container, or a limit in /proc/sys/user, forbids it: run nftnsr as root, "
        "or start the container with --privileged"
    )
