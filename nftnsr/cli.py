"""The command line: parses, dispatches, and turns every failure into a message."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

from nftnsr.arguments import Verb, parser
from nftnsr.commands.console import TROUBLE, Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A link's alias may hold what the terminal's encoding does not; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    console = Console(json=options.json, quiet=options.quiet)
    try:
        return _run(cast(Verb, options.verb), options, console)
    except KeyboardInterrupt:
        console.warn("nftnsr: interrupted")
        return 130
    except BrokenPipeError:
        # The reader has gone (`| head`).
        console.give_up_output()
        return TROUBLE
    except Exception as error:
        from nftnsr.commands.failures import explain

        try:
            return explain(error, console)
        except OSError:
            return TROUBLE  # there is nowhere left to say it
        finally:
            console.settle_output()


def _run(verb: Verb, options: argparse.Namespace, console: Console) -> int:
    """Each verb has its module; imported late, since a command pays only for what it needs."""
    if verb == "revert":
        from nftnsr.transaction import watchdog

        return watchdog.revert(options.id, options.ready)
    return int(import_module(f"nftnsr.commands.{verb}").run(options, console))
