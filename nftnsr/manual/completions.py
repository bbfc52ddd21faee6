"""Completions for bash and zsh, of commands, options, specs and the names of routers."""

from __future__ import annotations

import argparse
from typing import Any, Final

import shtab

# Only root can list the directory: for anybody else there are no names to complete. shtab tells by
# a `_file` in a function's name that what it says are files.
_PREAMBLE: Final = {
    "bash": """\
_nftnsr_routers() {
  local path
  for path in /var/lib/nftnsr/*.json; do
    [ -e "$path" ] || continue
    path=${path##*/}
    compgen -W "${path%.json}" -- "$1"
  done
}
_nftnsr_files() {
  compgen -f -X '!*.toml' -- "$1"
  compgen -d -- "$1"
}
_nftnsr_files_and_routers() {
  _nftnsr_files "$1"
  _nftnsr_routers "$1"
}
""",
    "zsh": """\
_nftnsr_routers() {
  local -a routers=(/var/lib/nftnsr/*.json(N:t:r))
  compadd -a routers
}
_nftnsr_files() {
  _files -g '*.toml'
}
_nftnsr_files_and_routers() {
  _nftnsr_files
  _nftnsr_routers
}
""",
}
_BY_METAVAR: Final[dict[object, Any]] = {
    "SPEC": {"bash": "_nftnsr_files", "zsh": "_nftnsr_files"},
    "NAME": {"bash": "_nftnsr_routers", "zsh": "_nftnsr_routers"},
    "SPEC|NAME": {"bash": "_nftnsr_files_and_routers", "zsh": "_nftnsr_files_and_routers"},
    "FILE": shtab.FILE,
    "DIR": shtab.DIRECTORY,
}


def bash(parser: argparse.ArgumentParser) -> str:
    return _complete(parser, "bash")


def zsh(parser: argparse.ArgumentParser) -> str:
    return _complete(parser, "zsh")


def _complete(parser: argparse.ArgumentParser, shell: str) -> str:
    """What an argument is completed by follows from its metavar; `parser` is changed for it."""
    for each in _actions(parser):
        if each.metavar in _BY_METAVAR:
            each.complete = _BY_METAVAR[each.metavar]  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell, preamble=_PREAMBLE[shell]))


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found = []
    for each in parser._actions:
        found.append(each)
        if isinstance(each, argparse._SubParsersAction):
            for made in each.choices.values():
                found += _actions(made)
    return found
