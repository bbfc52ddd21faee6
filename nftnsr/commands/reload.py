"""`nftnsr reload`: reads the block lists again, and changes what differs in their sets."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.apply import report
from nftnsr.commands.console import Console
from nftnsr.commands.recover import recover_first
from nftnsr.commands.terms import locked
from nftnsr.kernel.machine import Machine
from nftnsr.transaction.reload import reload_lists


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    specs.require_root()
    with locked(options, console), Machine() as machine:
        recover_first(machine, console)
        outcome = reload_lists(machine, spec, cautious=not options.lockout_ok)
    return report(outcome, options, console)
