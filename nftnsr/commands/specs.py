"""The specs that a command works on: those named, or all of /etc/nftnsr."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nftnsr.commands import paths
from nftnsr.kernel.errors import KernelError
from nftnsr.spec import load_all, load_located
from nftnsr.spec.document import Document
from nftnsr.spec.model import Spec


class NoSpec(Exception):
    """No spec was named and none lies in the usual place."""


def chosen(named: Sequence[str]) -> Spec:
    """The routers of all files named, else of every /etc/nftnsr/*.toml, as one spec."""
    return load_all([Path(name) for name in named] or installed())


def located(named: Sequence[str]) -> tuple[Spec, tuple[Document, ...]]:
    """The same, and the documents, which know where each key is written."""
    return load_located([Path(name) for name in named] or installed())


def installed() -> list[Path]:
    """The specs of this machine, sorted by name."""
    found = [Path(path) for path in paths.installed()]
    if not found:
        raise NoSpec(f"no spec was named, and there is no {paths.DIRECTORY}/*.toml")
    return found


def words(named: Sequence[str]) -> str:
    """The specs as a person would type them again."""
    return "".join(f" {name}" for name in named)


def require_root() -> None:
    if os.geteuid() != 0:
        raise KernelError("this needs root", "run it with sudo, or as root")
