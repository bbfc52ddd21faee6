"""The command line: parses, dispatches, and turns every failure into a message."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, assert_never, cast, get_args

from nftnsr import __version__
from nftnsr.commands.console import TROUBLE, Console
from nftnsr.commands.packets import add_question
from nftnsr.commands.terms import add_terms, add_wait, add_watch, duration

Verb = Literal[
    "validate", "compile", "diff", "apply", "reload", "down", "status", "rehearse",
    "graph", "confirm", "rollback", "recover", "journal", "units", "watch", "trace", "revert",
]  # fmt: skip

_SPEC = "TOML files; without any, every /etc/nftnsr/*.toml"


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
    # Imported late: a command pays only for what it needs.
    match verb:
        case "validate":
            from nftnsr.commands import validate

            return validate.run(options, console)
        case "compile":
            from nftnsr.commands import compile

            return compile.run(options, console)
        case "diff":
            from nftnsr.commands import diff

            return diff.run(options, console)
        case "apply":
            from nftnsr.commands import apply

            return apply.run(options, console)
        case "reload":
            from nftnsr.commands import reload

            return reload.run(options, console)
        case "down":
            from nftnsr.commands import down

            return down.run(options, console)
        case "status":
            from nftnsr.commands import status

            return status.run(options, console)
        case "rehearse":
            from nftnsr.commands import rehearse

            return rehearse.run(options, console)
        case "graph":
            from nftnsr.commands import graph

            return graph.run(options, console)
        case "confirm":
            from nftnsr.commands import confirm

            return confirm.run(options, console)
        case "rollback":
            from nftnsr.commands import rollback

            return rollback.run(options, console)
        case "recover":
            from nftnsr.commands import recover

            return recover.run(options, console)
        case "journal":
            from nftnsr.commands import journal

            return journal.run(options, console)
        case "units":
            from nftnsr.commands import units

            return units.run(options, console)
        case "watch":
            from nftnsr.commands import watch

            return watch.run(options, console)
        case "trace":
            from nftnsr.commands import trace

            return trace.run(options, console)
        case "revert":
            from nftnsr.transaction import watchdog

            return watchdog.revert(options.id, options.ready)
        case _:
            assert_never(verb)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="nftnsr",
        description="Turns a public interface into a NAT router in a network namespace.",
    )
    top.add_argument("--version", action="version", version=f"nftnsr {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    made = {verb: _verb(verbs, verb) for verb in get_args(Verb)}
    for verb in ("validate", "compile", "diff", "apply", "reload", "graph", "watch", "trace"):
        made[verb].add_argument("spec", nargs="*", metavar="SPEC", help=_SPEC)
    made["rehearse"].add_argument(
        "--from-live", action="store_true",
        help="let the twin begin as this host is now, in the place of what the spec says of it",
    )  # fmt: skip
    made["rehearse"].add_argument(
        "spec", nargs="*", metavar="SPEC",
        help=f"{_SPEC}; of two with the same router, the change from the first to the second",
    )  # fmt: skip
    made["diff"].add_argument(
        "--full", action="store_true",
        help="look at everything, even if nothing can have changed since it was in sync",
    )  # fmt: skip
    made["down"].add_argument(
        "what", nargs="*", metavar="SPEC|NAME", help="TOML files or names of routers"
    )
    made["status"].add_argument(
        "what", nargs="*", metavar="SPEC|NAME", help="TOML files or names of routers; without: all"
    )
    made["status"].add_argument(
        "--watch", type=duration, nargs="?", const=2.0, metavar="2s", help="look again and again"
    )
    made["compile"].add_argument(
        "--ruleset", action="store_true", help="print the nftables rulesets only"
    )
    made["rehearse"].add_argument(
        "--junit", type=Path, metavar="FILE",
        help="write the results as JUnit XML, for a continuous integration",
    )  # fmt: skip
    made["compile"].add_argument(
        "--explain", action="store_true",
        help="beside each rule and command, the lines of the spec that it comes from",
    )  # fmt: skip
    made["graph"].add_argument(
        "--format", choices=("svg", "mermaid", "dot"), default="svg",
        help="as svg for a README or a browser (the default), or as text: mermaid, dot",
    )  # fmt: skip
    made["graph"].add_argument(
        "--output", "-o", metavar="FILE", help="write the picture there, not to stdout"
    )
    for verb in ("apply", "reload", "watch"):
        made[verb].add_argument(
            "--lockout-ok", action="store_true",
            help="apply even if this ssh session, or what the host's firewall lets in, may be lost",
        )  # fmt: skip
    add_watch(made["watch"])
    add_question(made["trace"])
    made["recover"].add_argument(
        "--accept", action="store_true",
        help="take the machine as it is where something cannot be undone",
    )  # fmt: skip
    made["apply"].add_argument(
        "--uplink-timeout",
        type=duration,
        default=0.0,
        metavar="30s",
        help="wait so long for an uplink that is not there yet, as at boot",
    )
    for verb in ("apply", "down"):
        add_terms(made[verb])
    for verb in ("apply", "reload", "down", "confirm", "rollback", "recover"):
        add_wait(made[verb])
    for verb in ("diff", "apply"):
        made[verb].add_argument(
            "--metrics", type=Path, metavar="FILE",
            help="write metrics for a Prometheus node exporter's textfile collector",
        )  # fmt: skip
    made["units"].add_argument("action", choices=("install", "remove", "show"))
    made["units"].add_argument(
        "--root", type=Path, metavar="DIR", help="work in the tree of another machine, of an image"
    )
    made["revert"].add_argument("id")
    made["revert"].add_argument("--ready", type=int)
    return top


_HELP: dict[Verb, str] = {
    "validate": "report every problem in the spec (no root)",
    "compile": "print the ruleset and the operations (no root)",
    "diff": "show how the kernel differs from the spec: exit 0 same, 1 differs, 2 trouble",
    "apply": "make the kernel what the spec says, or leave it as it was",
    "reload": "read the block lists again, and change only what differs in them",
    "down": "give the host back what it had before the first apply",
    "status": "show the live routers and any transaction that was not ended",
    "rehearse": "try the spec with real packets in throw-away namespaces (no root)",
    "graph": "draw the routers of the spec (no root)",
    "confirm": "keep what `apply --confirm` did",
    "rollback": "undo the last transaction, confirmed or not",
    "recover": "undo what a crash left half done",
    "journal": "show the transaction that is under way or was cut off, else the last one",
    "units": "put the systemd units in place: at boot, drift checks, watching",
    "watch": "tell drift as it happens, one JSON object a line with --json; --heal puts it right",
    "trace": "tell what becomes of a packet, step by step (no root): exit 0 answered, 1 not",
}


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], verb: Verb
) -> argparse.ArgumentParser:
    if verb == "revert":
        # What the watchdog of `apply --confirm` runs; without a help text it is not listed.
        made = verbs.add_parser(verb)
    else:
        made = verbs.add_parser(verb, help=_HELP[verb], description=_HELP[verb])
    made.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    made.add_argument("--quiet", "-q", action="store_true", help="print no remarks")
    return made
