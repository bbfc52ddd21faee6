"""`nftnsr trace`: what becomes of a packet, step by step; by the compiled spec alone, no root."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import DIFFERS, OK, TROUBLE, Console
from nftnsr.explain import Explanation
from nftnsr.report.trace import trace_json, trace_text
from nftnsr.spec.model import Address, Router, Spec
from nftnsr.trace import Question, Trace, Unanswerable, Way, trace
from nftnsr.trace.question import SOURCE_PORT


def run(options: Options, console: Console) -> int:
    spec, documents = specs.located(options.spec)
    question = _question(options)
    found = trace(_router(spec, options.router, question.destination), question)
    live = _live(spec, found) if options.live and found.ways else None
    why = Explanation(spec, documents)
    if console.json:
        console.document(trace_json(found, why, live))
    else:
        console.say(trace_text(found, why, live))
    if live is not None and not found.agrees(live):
        return TROUBLE
    return OK if found.arrives else DIFFERS


def _live(spec: Spec, found: Trace) -> Way:
    # Imported late: without it nothing here knows the kernel.
    from nftnsr.kernel.machine import Machine
    from nftnsr.rehearsal.traced import trace_live
    from nftnsr.transaction.apply import apply_spec

    def apply(spec: Spec) -> None:
        with Machine() as machine:
            apply_spec(machine, spec)

    return trace_live(spec, found, apply)


def _question(options: Options) -> Question:
    protocol, port = options.port
    return Question(
        options.to, protocol, port, options.source, options.source_port or SOURCE_PORT,
        from_host=options.from_host, from_network=options.from_network, by=options.by,
    )  # fmt: skip


def _router(spec: Spec, name: str | None, to: Address) -> Router:
    """The one that is named, the only one, or the one that the packet is sent to."""
    names = ", ".join(r.name for r in spec.routers)
    if name is not None:
        found = [r for r in spec.routers if r.name == name]
        if not found:
            raise Unanswerable(f"the spec has no router {name}", f"it has {names}")
        return found[0]
    if len(spec.routers) == 1:
        return spec.routers[0]
    near = [r for r in spec.routers if any(to in i.network for i in r.addresses)]
    if len(near) != 1:
        raise Unanswerable(
            f"{to} does not say which router is meant", f"name it with --router: {names}"
        )
    return near[0]
