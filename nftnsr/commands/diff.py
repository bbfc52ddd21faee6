"""`nftnsr diff`: how the kernel differs from the spec, with the exit status of diff(1).

This is the full check; the answer "in sync" is sealed, and `quick` repeats it while the seal holds.
"""

from __future__ import annotations

import time
from argparse import Namespace as Options

from nftnsr.commands import paths, specs
from nftnsr.commands.console import DIFFERS, OK, Console
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import differences_text
from nftnsr.report.drift import drift_json, unmanaged_text
from nftnsr.state.difference import difference
from nftnsr.state.unmanaged import unmanaged
from nftnsr.transaction import journal
from nftnsr.transaction.apply import Refused
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.journal import Unfinished
from nftnsr.transaction.lock import holder
from nftnsr.transaction.preflight import obstacles
from nftnsr.transaction.witness import Witness


def run(options: Options, console: Console) -> int:
    files = paths.chosen(options.spec)
    witness = Witness.of(files)
    spec = specs.chosen(files)
    specs.require_root()
    began = time.monotonic()
    with witness, Machine() as machine:
        intent, found = diff_intent(machine, spec, witness.observe)
        in_the_way = obstacles(machine, spec, intent.goal.wanted, found)
        if not_ours := tuple(o for o in in_the_way if o.foreign):
            raise Refused(not_ours)
        differences = difference(intent.goal.wanted, found, intent.goal.ours)
        foreign = unmanaged(intent.goal.wanted, found, intent.goal.ours)
        if options.metrics is not None:
            from nftnsr.commands.metrics import export

            export(options.metrics, machine, spec, differences, time.monotonic() - began)
    unfinished = journal.unfinished()
    # Before a change is over its journal looks as if it had been cut off.
    changing = holder()
    cut_off = changing is None and unfinished is not None and unfinished.phase != "unconfirmed"
    strict = {router.name for router in spec.routers if router.strict}
    strangers = any(each.namespace in strict for each in foreign)
    same = not differences and not strangers
    document = drift_json(
        differences, foreign, same=same,
        obstacles=[o.message for o in in_the_way],
        unfinished=None if unfinished is None else unfinished.phase,
        changing=changing,
    )  # fmt: skip
    if not (differences or foreign or in_the_way or unfinished or changing):
        witness.seal(document, spec, intent.goal.scope, found)
    console.document(document)
    if words := unfinished_words(unfinished, changing):
        console.warn(f"nftnsr: {words}")
    console.say(differences_text(differences, colour=console.colour))
    if foreign and not (same and console.quiet):
        console.say(("\n" if differences else "") + unmanaged_text(foreign))
    if strangers:
        console.note("\n`strict` wants none of these; take links and tables away yourself")
    if not differences:
        return DIFFERS if cut_off or strangers else OK
    for obstacle in in_the_way:
        console.warn(f"nftnsr: {obstacle.message}\n  hint: {obstacle.hint}")
    if not in_the_way:
        console.note(f"\n`nftnsr apply{specs.words(options.spec)}` puts this right.")
    return DIFFERS


def unfinished_words(unfinished: Unfinished | None, changing: str | None) -> str:
    """What is the matter with a transaction whose journal is there, and what to do.

    While somebody (the pid `changing`) holds the lock, that is none of the reader's business.
    """
    if changing is not None:
        return f"pid {changing} is changing this machine at this moment"
    if unfinished is None:
        return ""
    command = unfinished.entry.command
    if unfinished.phase == "unconfirmed":
        left = f"{unfinished.seconds_left:.0f} s"
        return f"the {command} is undone in {left} unless `nftnsr confirm` is run"
    return f"an earlier {command} ended in the middle; `nftnsr recover` undoes it"
