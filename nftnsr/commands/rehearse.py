"""`nftnsr rehearse`: the spec tried with real packets in throw-away namespaces."""

from __future__ import annotations

import signal
from argparse import Namespace as Options
from collections.abc import Sequence
from types import FrameType

from nftnsr.commands import specs
from nftnsr.commands.console import DIFFERS, OK, Console
from nftnsr.commands.recording import Recording, recorded
from nftnsr.commands.telling import told
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.portrait import portrait
from nftnsr.rehearsal import Rehearsal, Result, Stage, is_change, rehearse, rehearse_change
from nftnsr.report.rehearsal import rehearsal_json
from nftnsr.spec import load_each
from nftnsr.spec.model import Spec
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.signals import Interrupted
from nftnsr.transaction.without import without_routers


def run(options: Options, console: Console) -> int:
    signal.signal(signal.SIGTERM, _stop)
    with recorded(options.junit, console) as recording:
        rehearsal = _run(options, console, recording)
    return OK if rehearsal.ok else DIFFERS


def _run(options: Options, console: Console, recording: Recording) -> Rehearsal:
    old, spec = _chosen(options.spec)
    named = (router.name for each in (old, spec) if each for router in each.routers)
    recording.routers = tuple(sorted(set(named)))
    live = without_routers(portrait(), recording.routers) if options.from_live else None
    if old is not None:
        console.note(f"the change from {options.spec[0]} to {options.spec[1]}:")
    with told(console) as telling:

        def on_progress(progress: Stage | Result) -> None:
            if isinstance(progress, Result):
                recording.results.append(progress)
            telling.progress(progress)

        if old is None:
            rehearsal = rehearse(spec, _apply, on_progress, live=live)
        else:
            rehearsal = rehearse_change(old, spec, _apply, on_progress, live=live)
    recording.results, recording.untried = list(rehearsal.results), rehearsal.untried
    console.document(rehearsal_json(rehearsal))
    telling.end(rehearsal)
    return rehearsal


def _chosen(named: Sequence[str]) -> tuple[Spec | None, Spec]:
    """The spec to rehearse, and the one before it where two are named that have a router both."""
    if len(named) == 2:
        old, new = load_each(named)
        if is_change(old, new):
            return old, new
    return None, specs.chosen(named)


def _apply(spec: Spec) -> None:
    with Machine() as machine:
        apply_spec(machine, spec)


def _stop(number: int, _: FrameType | None) -> None:
    # As Ctrl-C does it: the terminal gets its cursor back, and the file of --junit is written.
    raise Interrupted(number)
