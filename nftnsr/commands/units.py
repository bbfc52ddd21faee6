"""`nftnsr units`: puts the systemd units that ship with nftnsr in place, or takes them away."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace as Options
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_never, cast

from nftnsr import units
from nftnsr.commands import paths, specs
from nftnsr.commands.console import OK, Console
from nftnsr.kernel.errors import KernelError
from nftnsr.transaction.records import write_whole

Action = Literal["install", "remove", "show"]

_PLACE = Path("etc/systemd/system")
_RUNS = Path("/run/systemd/system")
"""There where systemd is the machine's init (sd_booted(3))."""


def run(options: Options, console: Console) -> int:
    texts = units.texts(command())
    place = (options.root or Path("/")) / _PLACE
    match cast(Action, options.action):
        case "show":
            console.say("\n".join(f"# {place / name}\n{text}" for name, text in texts.items()))
            console.document({"units": {str(place / n): text for n, text in texts.items()}})
        case "install":
            _check(options.root)
            _install(place, texts, options.root, console)
        case "remove":
            _check(options.root)
            _remove(place, options.root, console)
        case action:
            assert_never(action)
    return OK


def command() -> tuple[str, ...]:
    """What runs this very nftnsr from anywhere: its script, else its interpreter."""
    script = Path(sys.argv[0])
    if script.name == "nftnsr" and os.access(script, os.X_OK) and script.is_file():
        # Absolute, but not resolved: a link to it may outlive what it leads to.
        return (str(script.absolute()),)
    elsewhere = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    attempt = (sys.executable, "-c", "import nftnsr")
    if subprocess.run(attempt, cwd="/", env=elsewhere, capture_output=True).returncode != 0:
        raise KernelError(
            "this nftnsr runs from its source, where no service finds it",
            f"install it: {sys.executable} -m pip install DIRECTORY",
        )
    return (sys.executable, "-m", "nftnsr")


def _check(root: Path | None) -> None:
    if root is not None:
        if not root.is_dir():
            raise KernelError(f"there is no directory {root}", "--root DIR is the tree to work in")
        return
    specs.require_root()
    if not _RUNS.is_dir():
        raise KernelError(
            "systemd does not run this machine",
            "--root / works on the files nevertheless; without systemd use cron and a boot script",
        )


def _install(place: Path, texts: Mapping[str, str], root: Path | None, console: Console) -> None:
    if strange := [place / name for name in texts if not _may_write(place / name)]:
        raise KernelError(
            f"not written by nftnsr units install: {', '.join(map(str, strange))}",
            "move it away; changes of your own belong in a drop-in (systemctl edit)",
        )
    place.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in texts.items() if _read(place / name) != text]
    for name in changed:
        write_whole(place / name, texts[name])
        (place / name).chmod(0o644)
    _reload(root, changed)
    _tell(changed, place, "+", console)
    enable = _to_enable()
    console.note("\n".join(("to use them:", *(f"  {line}" for line in enable))))
    console.document({"installed": [str(place / n) for n in changed], "enable": list(enable)})


def _remove(place: Path, root: Path | None, console: Console) -> None:
    mine = [n for n in units.NAMES if _is_ours(place / n)]
    if enabled := sorted(_enabled(place)):
        raise KernelError(
            f"in use: {', '.join(enabled)}", f"first: systemctl disable --now {' '.join(enabled)}"
        )
    for name in mine:
        (place / name).unlink()
    _reload(root, mine)
    _tell(mine, place, "-", console)
    console.document({"removed": [str(place / name) for name in mine]})


def _tell(names: list[str], place: Path, sign: str, console: Console) -> None:
    console.say("".join(f"{sign} {place / name}\n" for name in names))
    if not names:
        console.note("nothing to change")


def _reload(root: Path | None, changed: list[str]) -> None:
    if root is not None or not changed:
        return
    done = subprocess.run(["systemctl", "daemon-reload"], capture_output=True, text=True)
    if done.returncode != 0:
        raise KernelError(
            f"the units are in place, but systemctl daemon-reload failed: {done.stderr.strip()}"
        )


def _to_enable() -> tuple[str, ...]:
    """What a person types next: for each spec of this machine, else for one of any name."""
    names = [Path(path).stem for path in paths.installed()] or ["NAME"]
    first = () if names != ["NAME"] else (f"# with the spec as {paths.DIRECTORY}/NAME.toml",)
    routers, timers, watches = (
        " ".join(f"nftnsr{kind}@{name}{suffix}" for name in names)
        for kind, suffix in (("", ""), ("-drift", ".timer"), ("-watch", ""))
    )
    return (
        *first,
        f"systemctl enable --now {routers}  # the router, at boot",
        f"systemctl enable --now {timers}  # look for drift every five minutes",
        f"systemctl enable --now {watches}  # or see it at once, and heal it",
    )


def _enabled(place: Path) -> set[str]:
    """The instances of our units that systemd is to start."""
    stems = tuple(name.split("@")[0] + "@" for name in units.NAMES)
    links = (link.name for link in place.glob("*.wants/nftnsr*@*") if link.is_symlink())
    return {name for name in links if name.startswith(stems)}


def _may_write(path: Path) -> bool:
    return not os.path.lexists(path) or _is_ours(path)


def _is_ours(path: Path) -> bool:
    return not path.is_symlink() and (_read(path) or "").startswith(f"{units.MARK}\n")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None
