"""`nftnsr rehearse`: the spec tried with real packets in throw-away namespaces."""

from __future__ import annotations

from argparse import Namespace as Options
from collections.abc import Sequence

from nftnsr.commands import specs
from nftnsr.commands.console import DIFFERS, OK, Console
from nftnsr.commands.recording import Recording, recorded
from nftnsr.kernel.machine import Machine
from nftnsr.rehearsal import Result, is_change, rehearse, rehearse_change
from nftnsr.report.rehearsal import rehearsal_json, rehearsal_text, result_text, summary
from nftnsr.spec import load_each
from nftnsr.spec.model import Spec
from nftnsr.transaction.apply import apply_spec


def run(options: Options, console: Console) -> int:
    with recorded(options.junit, console) as recording:
        return _run(options, console, recording)


def _run(options: Options, console: Console, recording: Recording) -> int:
    old, spec = _chosen(options.spec)
    named = (router.name for each in (old, spec) if each for router in each.routers)
    recording.routers = tuple(sorted(set(named)))

    def tell(result: Result) -> None:
        recording.results.append(result)
        if not console.quiet or not result.ok:
            console.say(result_text(result, colour=console.colour))

    if old is None:
        rehearsal = rehearse(spec, _apply, tell)
    else:
        console.note(f"the change from {options.spec[0]} to {options.spec[1]}:")
        rehearsal = rehearse_change(old, spec, _apply, tell)
    recording.results, recording.untried = list(rehearsal.results), rehearsal.untried
    console.document(rehearsal_json(rehearsal))
    if rehearsal.untried and not console.quiet:
        # The probes have been told as they came.
        console.say(rehearsal_text(rehearsal, every=False, colour=console.colour))
    elif not console.quiet or not rehearsal.ok:
        console.say(summary(rehearsal))
    return OK if rehearsal.ok else DIFFERS


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
