"""The commands and their options as data, read from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from attrs import frozen


@frozen
class Option:
    """An option or an argument: how it is written, and what it does."""

    words: tuple[str, ...]
    metavar: str | None
    help: str
    many: bool = False


@frozen
class Verb:
    """One command, as it is written, with all that it takes."""

    name: str
    usage: str
    help: str
    options: tuple[Option, ...]


def verbs(parser: argparse.ArgumentParser) -> tuple[Verb, ...]:
    """The commands that `--help` lists, in its order."""
    found = []
    for group in parser._actions:
        if not isinstance(group, argparse._SubParsersAction):
            continue
        for listed in group._get_subactions():
            made = group.choices[listed.dest]
            usage = " ".join(made.format_usage().removeprefix("usage: ").split())
            found.append(Verb(listed.dest, usage, listed.help or "", tuple(_options(made))))
    return tuple(found)


def common(commands: tuple[Verb, ...]) -> tuple[Option, ...]:
    """The options that every command has."""
    first, *others = commands
    return tuple(o for o in first.options if all(o in each.options for each in others))


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for each in parser._actions:
        if each.help == argparse.SUPPRESS or isinstance(each, argparse._HelpAction):
            continue
        metavar = None if each.nargs == 0 else _metavar(each)
        yield Option(tuple(each.option_strings), metavar, each.help or "", each.nargs in ("*", "+"))


def _metavar(each: argparse.Action) -> str:
    if each.metavar is None and each.choices is not None:
        return "|".join(map(str, each.choices))
    return str(each.metavar or each.dest)
