"""`nftnsr trace`: what becomes of a packet, step by step; by the compiled spec alone, no root."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import DIFFERS, OK, Console
from nftnsr.explain import Explanation
from nftnsr.report.trace import trace_json, trace_text
from nftnsr.spec.model import Address, Router, Spec
from nftnsr.trace import Question, Unanswerable, trace


def run(options: Options, console: Console) -> int:
    spec, documents = specs.located(options.spec)
    question = _question(options)
    found = trace(_router(spec, options.router, question.destination), question)
    why = Explanation(spec, documents)
    console.document(trace_json(found, why)) if console.json else console.say(
        trace_text(found, why)
    )
    return OK if found.arrives else DIFFERS


def _question(options: Options) -> Question:
    protocol, port = options.port
    return Question(
        options.to, protocol, port, options.source, options.source_port,
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
