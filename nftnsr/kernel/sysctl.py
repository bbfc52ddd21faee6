"""Kernel settings below /proc/sys/net, which shows each thread those of its own namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from nftnsr.kernel.errors import KernelError
from nftnsr.state.model import Sysctl

ROOT = Path("/proc/sys")
_NONE: Mapping[str, str] = {}
# Written first: others can only be set once it is (addr_gen_mode 2 and 3 need the secret).
_FIRST = ("stable_secret",)


def read(paths: Iterable[str], called: Mapping[str, str] = _NONE) -> Iterator[Sysctl]:
    """Those of `paths` that exist; `called` tells what links are called in the kernel by now."""
    for path in paths:
        with suppress(OSError):
            yield Sysctl(path, _value(_file(path, called)))


def read_link(dev: str, called: Mapping[str, str] = _NONE) -> Iterator[Sysctl]:
    """The settings of one link that are not the namespace's default, all lost when it moves.

    A link that arrives gets the defaults of that time, so a change of these reaches it too.
    """
    for family in ("ipv4", "ipv6"):
        for kind in ("conf", "neigh"):
            path = f"net/{family}/{kind}/{dev}"
            directory = _file(path, called)
            if directory.is_dir():
                names = [p.name for p in directory.iterdir() if _is_setting(p)]
                names.sort(key=lambda name: (name not in _FIRST, name))
                usual = f"net/{family}/{kind}/default"
                default = {_name(s): s.value for s in read(f"{usual}/{name}" for name in names)}
                found = read((f"{path}/{name}" for name in names), called)
                yield from (s for s in found if default.get(_name(s)) != s.value)


def write(settings: Iterable[Sysctl]) -> None:
    """Write settings, in order, past those that are refused: they make one KernelError."""
    refusals: list[str] = []
    for setting in settings:
        path, value = ROOT / setting.path, setting.value
        try:
            # Some act when they are written, even with the value they have.
            if not _has(path, value):
                path.write_text(value)
        except OSError as error:
            name = setting.path.replace("/", ".")
            refusals.append(f"cannot set sysctl {name} to {value}: {error.strerror}")
    if refusals:
        raise KernelError("; ".join(refusals))


def trial(settings: Iterable[Sysctl]) -> Iterator[tuple[Sysctl, str]]:
    """Those that the calling thread's namespace, a scratch one, does not take, with the reason."""
    for setting in settings:
        path = ROOT / _of_new_link(setting.path)
        try:
            writable = path.stat().st_mode & 0o200
            if not path.is_file():
                yield setting, "it is no setting, but a directory of settings"
            elif not writable:
                yield setting, "only the machine's first namespace can change it, for all of them"
            else:
                path.write_text(setting.value)
                if (held := _value(path)) != setting.value:
                    yield setting, f"the kernel makes {held} of that value"
        except FileNotFoundError:
            yield setting, "this kernel has no such setting"
        except OSError as error:
            yield setting, f"the kernel refuses the value ({error.strerror})"


def usual(paths: Iterable[str]) -> Iterator[Sysctl]:
    """What settings are in the calling thread's namespace, a scratch one, and for a new link."""
    for path in paths:
        yield from (Sysctl(path, s.value) for s in read([_of_new_link(path)]))


def _of_new_link(path: str) -> str:
    """The setting with which links begin, for one of a link that is not there."""
    net, family, kind, *rest = path.split("/")
    if len(rest) > 1 and kind in ("conf", "neigh") and rest[0] not in ("all", "lo"):
        rest[0] = "default"
    return "/".join((net, family, kind, *rest))


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all (it is absent after `ipv6.disable=1`)."""
    return (ROOT / "net/ipv6").is_dir()


def _file(path: str, called: Mapping[str, str]) -> Path:
    net, family, kind, *rest = path.split("/")
    if rest and kind in ("conf", "neigh"):
        rest[0] = called.get(rest[0], rest[0])
    return ROOT.joinpath(net, family, kind, *rest)


def _name(setting: Sysctl) -> str:
    return setting.path.rsplit("/", 1)[1]


def _has(path: Path, value: str) -> bool:
    with suppress(OSError):  # a secret cannot be read before it has been set
        return _value(path) == value
    return False


def _is_setting(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o200)


def _value(path: Path) -> str:
    return " ".join(path.read_text().split())
