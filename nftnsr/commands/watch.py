"""`nftnsr watch`: tells drift when it happens, and with --heal puts it right."""

from __future__ import annotations

import time
from argparse import Namespace as Options
from collections.abc import Sequence
from pathlib import Path

from nftnsr.commands import paths, specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.failures import words
from nftnsr.kernel.notices import Files, Notices
from nftnsr.kernel.supervisor import Supervisor
from nftnsr.report.events import event_json, event_text, is_remark, is_trouble
from nftnsr.spec.model import Spec
from nftnsr.watch.cases import Limits
from nftnsr.watch.events import Event
from nftnsr.watch.policy import Policy, Source
from nftnsr.watch.requests import Requests
from nftnsr.watch.vigil import Vigil


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    specs.require_root()
    source = Source(lambda: specs.chosen(options.spec), lambda spec: _files(options.spec, spec))
    policy = Policy(options.heal, Limits(*options.limit), not options.lockout_ok, options.every)

    def tell(event: Event) -> None:
        _tell(event, console)

    with Requests() as requests, Notices(requests.fileno()) as notices:
        supervisor = Supervisor.above()
        Vigil(source, policy, tell, words, supervisor, notices, requests, spec).run()
    return OK


def _tell(event: Event, console: Console) -> None:
    now = time.time()
    console.line(event_json(event, now))
    if is_trouble(event):
        console.warn(event_text(event, now, colour=console.colour_of_messages))
    elif not console.quiet or not is_remark(event):
        console.say(event_text(event, now, colour=console.colour))


def _files(named: Sequence[str], spec: Spec) -> tuple[Files, ...]:
    """Where to hear of changes of what was read; a link is followed, and may be changed itself."""
    read = [Path(name).absolute() for name in (*named, *spec.beside)]
    places = dict.fromkeys((*read, *(path.resolve() for path in read)))
    files = tuple(Files(path.parent, path.name.__eq__, "files") for path in places)
    if named:
        return files
    return (Files(Path(paths.DIRECTORY), lambda name: name.endswith(".toml"), "files"), *files)
