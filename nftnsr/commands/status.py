"""`nftnsr status`: the live routers as a page, and any transaction that was not ended."""

from __future__ import annotations

import time
from argparse import Namespace as Options
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from attrs import evolve

from nftnsr.commands import paths, specs
from nftnsr.commands.console import OK, Console
from nftnsr.commands.diff import unfinished_words
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.scope import Scope
from nftnsr.report.problems import problems_text
from nftnsr.report.status import Page, status_json, status_text
from nftnsr.report.usage import usage, usage_without_spec
from nftnsr.spec import SpecError, load_all
from nftnsr.spec.model import Router, Spec
from nftnsr.state.difference import difference
from nftnsr.state.model import HOST, State
from nftnsr.transaction import journal, records, stamps
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.lock import holder
from nftnsr.transaction.records import RecordError

if TYPE_CHECKING:
    from rich.live import Live


def run(options: Options, console: Console) -> int:
    specs.require_root()
    try:
        with Machine() as machine, _screen(options, console) as screen:
            while True:
                _show(list(_pages(machine, options.what, console)), console, screen)
                if options.watch is None:
                    return OK
                time.sleep(options.watch)
    except KeyboardInterrupt:
        if options.watch is None:
            raise
        return OK  # it has no other end


def _show(pages: list[Page], console: Console, screen: Live | None) -> None:
    left, changing, now = journal.unfinished(), holder(), time.time()
    console.document(
        {
            "routers": [status_json(page) for page in pages],
            "unfinished": None if left is None else left.phase,
            "changing": changing,
        }
    )
    words = unfinished_words(left, changing)
    if screen is not None:
        from nftnsr.report import screen as terminal

        screen.update(terminal.pages(pages, now, words), refresh=True)
        return
    console.say("\n".join(status_text(page, now) for page in pages))
    if not pages:
        console.note("no router is applied here")
    if words:
        console.warn(f"nftnsr: {words}")


def _screen(options: Options, console: Console) -> AbstractContextManager[Live | None]:
    """What a terminal shows: tables, and with --watch in a screen of their own."""
    if not console.terminal or console.json:
        return nullcontext()
    # Imported late: it takes longer than to look at the routers.
    from nftnsr.report.screen import live

    return live(colour=console.colour, whole=options.watch is not None)


def _pages(machine: Machine, what: Sequence[str], console: Console) -> Iterator[Page]:
    """The pages of the routers that are named, or that the named specs describe; else of all."""
    files = [word for word in what if word.endswith(".toml") or "/" in word]
    names = [word for word in what if word not in files]
    routers = {r.name: r for r in load_all(files).routers} if files else {}
    known = routers | _installed(console)
    for name in (*routers, *names) if what else sorted({*known, *records.names()}):
        if name in known:
            yield _described(machine, known[name])
        else:
            yield _remembered(machine, name)


def _installed(console: Console) -> dict[str, Router]:
    """The routers of this machine's specs; a faulty one is told, and hides no other."""
    found: dict[str, Router] = {}
    for path in paths.installed():
        try:
            found |= {router.name: router for router in load_all([path]).routers}
        except SpecError as error:
            console.warn(problems_text(error.problems, console.colour_of_messages))
    return found


def _described(machine: Machine, router: Router) -> Page:
    """The page of a router whose spec is there: all is known."""
    intent, found = diff_intent(machine, Spec((router,)))
    differences = len(difference(intent.goal.wanted, found, intent.goal.ours))
    page = Page(router.name, differences, stamps.last_apply(router.name))
    if router.name not in found:
        return page
    counted, flows = machine.counters(router.name), machine.flows(router.name)
    return _live(machine, evolve(page, usage=usage(router, counted, flows)), found)


def _remembered(machine: Machine, name: str) -> Page:
    """The page of a router of which there is nothing but the record of its apply."""
    if (record := records.read(name)) is None:
        known = ", ".join(records.names()) or "none"
        raise RecordError(f"nothing is known of a router {name}; applied here: {known}")
    found = machine.observe(Scope.of(record.applied, record.before))
    page = Page(name, None, stamps.last_apply(name))
    if name not in found:
        return page
    counted = usage_without_spec(machine.counters(name), machine.flows(name))
    return _live(machine, evolve(page, usage=counted), found)


def _live(machine: Machine, page: Page, found: State) -> Page:
    foreign = tuple((name, s) for name, s in sorted(found.namespaces.items()) if s.foreign)
    spaces = (page.router, HOST, *(name for name, _ in foreign))
    return evolve(
        page,
        space=found[page.router],
        host=found[HOST],
        foreign=foreign,
        carriers=frozenset((space, dev) for space in spaces for dev in machine.carriers(space)),
        tracked=machine.tracked(page.router),
    )
