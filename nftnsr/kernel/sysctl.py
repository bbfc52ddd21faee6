"""Kernel settings below /proc/sys/net, which shows each thread those of its own namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nftnsr.kernel.errors import KernelError
from nftnsr.state.model import Sysctl

ROOT = Path("/proc/sys")
# Reading it gives an error until somebody sets it.
_UNREADABLE = ("stable_secret",)


def read(paths: Iterable[str]) -> Iterator[Sysctl]:
    """Those of `paths` that exist."""
    for path in paths:
        with suppress(OSError):
            yield Sysctl(path, _value(ROOT / path))


def read_link(dev: str) -> Iterator[Sysctl]:
    """Every setting of one link, all of which are lost when it moves to another namespace."""
    for family in ("ipv4", "ipv6"):
        for kind in ("conf", "neigh"):
            directory = ROOT / "net" / family / kind / dev
            if directory.is_dir():
                names = sorted(p.name for p in directory.iterdir() if _is_setting(p))
                yield from read(f"net/{family}/{kind}/{dev}/{name}" for name in names)


def write(settings: Iterable[Sysctl]) -> None:
    """Write settings, in order."""
    for setting in settings:
        path, value = ROOT / setting.path, setting.value
        try:
            # Some act when they are written, even with the value they have.
            if _value(path) != value:
                path.write_text(value)
        except OSError as error:
            name = setting.path.replace("/", ".")
            raise KernelError(f"cannot set sysctl {name} to {value}: {error.strerror}") from error


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all (it is absent after `ipv6.disable=1`)."""
    return (ROOT / "net/ipv6").is_dir()


def _is_setting(path: Path) -> bool:
    return path.name not in _UNREADABLE and bool(path.stat().st_mode & 0o200)


def _value(path: Path) -> str:
    return " ".join(path.read_text().split())
