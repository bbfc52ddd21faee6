"""`nftnsr rehearse`: the spec tried with real packets in throw-away namespaces."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import DIFFERS, OK, Console
from nftnsr.commands.recording import Recording, recorded
from nftnsr.kernel.machine import Machine
from nftnsr.rehearsal import Result, rehearse
from nftnsr.report.rehearsal import rehearsal_json, rehearsal_text, result_text, summary
from nftnsr.spec.model import Spec
from nftnsr.transaction.apply import apply_spec


def run(options: Options, console: Console) -> int:
    with recorded(options.junit, console) as recording:
        return _run(options, console, recording)


def _run(options: Options, console: Console, recording: Recording) -> int:
    spec = specs.chosen(options.spec)
    recording.routers = tuple(router.name for router in spec.routers)

    def tell(result: Result) -> None:
        recording.results.append(result)
        if not console.quiet or not result.ok:
            console.say(result_text(result, colour=console.colour))

    rehearsal = rehearse(spec, _apply, tell)
    recording.results, recording.untried = list(rehearsal.results), rehearsal.untried
    console.document(rehearsal_json(rehearsal))
    if rehearsal.untried and not console.quiet:
        # The probes have been told as they came.
        console.say(rehearsal_text(rehearsal, every=False, colour=console.colour))
    elif not console.quiet or not rehearsal.ok:
        console.say(summary(rehearsal))
    return OK if rehearsal.ok else DIFFERS


def _apply(spec: Spec) -> None:
    with Machine() as machine:
        apply_spec(machine, spec)
