"""`nftnsr validate`: every problem in the specs; no root, no kernel."""

from __future__ import annotations

from argparse import Namespace

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console


def run(options: Namespace, console: Console) -> int:
    spec = specs.chosen(options.spec)
    names = [router.name for router in spec.routers]
    forwards = sum(len(router.forward) for router in spec.routers)
    if not console.quiet:
        console.say(f"valid: {_count(len(names), 'router')}, {_count(forwards, 'forward')}")
    console.document({"valid": True, "routers": names, "problems": []})
    return OK


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
