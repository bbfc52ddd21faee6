"""What may be typed: the verbs, and the options of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final, Literal, get_args

from nftnsr import __version__
from nftnsr.commands.packets import add_question
from nftnsr.commands.terms import add_terms, add_wait, add_watch, duration

Verb = Literal[
    "validate",
    "compile",
    "diff",
    "apply",
    "reload",
    "down",
    "status",
    "rehearse",
    "graph",
    "confirm",
    "rollback",
    "recover",
    "journal",
    "units",
    "watch",
    "trace",
    "revert",
]

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


_SPEC = "TOML files; without any, every /etc/nftnsr/*.toml"


_FLAG: Final = {"action": "store_true"}
_OPTIONS: Final[dict[Verb, dict[str, dict[str, Any]]]] = {
    "compile": {
        "--ruleset": {**_FLAG, "help": "print the nftables rulesets only"},
        "--explain": {
            **_FLAG,
            "help": "beside each rule and command, the lines of the spec that it comes from",
        },
    },
    "diff": {
        "--full": {
            **_FLAG,
            "help": "look at everything, even if nothing can have changed since it was in sync",
        },
    },
    "apply": {
        "--uplink-timeout": {
            "type": duration, "default": 0.0, "metavar": "30s",
            "help": "wait so long for an uplink that is not there yet, as at boot",
        },
    },
    "status": {
        "--watch": {
            "type": duration, "nargs": "?", "const": 2.0, "metavar": "2s",
            "help": "look again and again",
        },
    },
    "rehearse": {
        "--from-live": {
            **_FLAG,
            "help": "let the twin begin as this host is now, in the place of what the spec says "
            "of it",
        },
        "--junit": {
            "type": Path, "metavar": "FILE",
            "help": "write the results as JUnit XML, for a continuous integration",
        },
    },
    "graph": {
        "--format": {
            "choices": ("svg", "mermaid", "dot"), "default": "svg",
            "help": "as svg for a README or a browser (the default), or as text: mermaid, dot",
        },
        "--output -o": {"metavar": "FILE", "help": "write the picture there, not to stdout"},
    },
    "recover": {
        "--accept": {
            **_FLAG, "help": "take the machine as it is where something cannot be undone",
        },
    },
    "units": {
        "--root": {
            "type": Path, "metavar": "DIR",
            "help": "work in the tree of another machine, of an image",
        },
    },
    "revert": {"--ready": {"type": int}},
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="nftnsr",
        description="Turns a public interface into a NAT router in a network namespace.",
    )
    top.add_argument("--version", action="version", version=f"nftnsr {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for verb in get_args(Verb):
        made = _verb(verbs, verb)
        _operands(verb, made)
        _options(verb, made)
        _shared(verb, made)
    return top


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


def _operands(verb: Verb, made: argparse.ArgumentParser) -> None:
    match verb:
        case "validate" | "compile" | "diff" | "apply" | "reload" | "graph" | "watch" | "trace":
            made.add_argument("spec", nargs="*", metavar="SPEC", help=_SPEC)
        case "rehearse":
            change = "of two with the same router, the change from the first to the second"
            made.add_argument("spec", nargs="*", metavar="SPEC", help=f"{_SPEC}; {change}")
        case "down" | "status":
            what = "TOML files or names of routers" + ("; without: all" * (verb == "status"))
            made.add_argument("what", nargs="*", metavar="SPEC|NAME", help=what)
        case "units":
            made.add_argument("action", choices=("install", "remove", "show"))
        case "revert":
            made.add_argument("id")


def _options(verb: Verb, made: argparse.ArgumentParser) -> None:
    """Those that no other verb has."""
    for names, words in _OPTIONS.get(verb, {}).items():
        made.add_argument(*names.split(), **words)
    match verb:
        case "watch":
            add_watch(made)
        case "trace":
            add_question(made)


def _shared(verb: Verb, made: argparse.ArgumentParser) -> None:
    """Those that several verbs have."""
    if verb in ("apply", "reload", "watch"):
        made.add_argument(
            "--lockout-ok", action="store_true",
            help="apply even if this ssh session, or what the host's firewall lets in, may be lost",
        )  # fmt: skip
    if verb in ("apply", "down"):
        add_terms(made)
    if verb in ("apply", "reload", "down", "confirm", "rollback", "recover"):
        add_wait(made)
    if verb in ("diff", "apply"):
        made.add_argument(
            "--metrics",
            type=Path,
            metavar="FILE",
            help="write metrics for a Prometheus node exporter's textfile collector",
        )
