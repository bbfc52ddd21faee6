"""`nftnsr compile`: all that a spec implies, as commands or as rulesets; no root."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.compile import compile_spec
from nftnsr.report.operations import operation_json, operations_text
from nftnsr.spec.model import Spec
from nftnsr.state.difference import difference
from nftnsr.state.model import HOST, Link, Namespace, State
from nftnsr.state.operations import Operation
from nftnsr.state.ruleset import ruleset_text
from nftnsr.transaction.plan import plan


def run(options: Options, console: Console) -> int:
    spec = specs.chosen(options.spec)
    state = compile_spec(spec)
    rulesets = {r.name: ruleset_text(state[r.name].ruleset) for r in spec.routers}
    operations = first_apply(spec, state)
    console.document({"operations": [operation_json(o) for o in operations], "rulesets": rulesets})
    if options.ruleset:
        console.say("\n".join(rulesets.values()))
    else:
        console.say(operations_text(operations))
    return OK


def first_apply(spec: Spec, state: State) -> tuple[Operation, ...]:
    """The plan on a host that has the uplinks and nothing else."""
    moved = tuple(Link(uplink.dev) for router in spec.routers for uplink in router.moved)
    bare = State({HOST: Namespace(moved)})
    return plan(difference(state, bare), state, bare)
