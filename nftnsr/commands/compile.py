"""`nftnsr compile`: all that a spec implies, as commands or as rulesets; no root."""

from __future__ import annotations

from argparse import Namespace as Options

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.compile import compile_spec
from nftnsr.report.operations import operation_json, operations_text
from nftnsr.state.ruleset import ruleset_text
from nftnsr.transaction.first import first_apply


def run(options: Options, console: Console) -> int:
    spec, documents = specs.located(options.spec)
    state = compile_spec(spec)
    operations = first_apply(spec, state)
    rulesets = {r.name: ruleset_text(state[r.name].ruleset) for r in spec.routers}
    document = {"operations": [operation_json(o) for o in operations], "rulesets": rulesets}
    if not options.explain:
        console.document(document)
        console.say(
            "\n".join(rulesets.values()) if options.ruleset else operations_text(operations)
        )
        return OK

    from nftnsr.explain import Explanation
    from nftnsr.report.explained import explained_json, explained_ruleset, explained_text

    why = Explanation(spec, documents)
    for remark in why.remarks:
        console.note(remark)
    if console.json:
        console.document({**document, "explained": explained_json(operations, why)})
    elif options.ruleset:
        texts = (explained_ruleset(name, text, why) for name, text in rulesets.items())
        console.say("\n".join(texts))
    else:
        console.say(explained_text(operations, why))
    return OK
