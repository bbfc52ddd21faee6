"""Why: from which keys of a spec each rule, element and command comes.

Nothing in `compile` keeps a record of that. The compiler is pure and takes about a millisecond, so
it is asked instead: which lines would not be there, or not so, if this key were another? A key
that the schema knows is asked for, whoever adds it, and nothing here knows any by its name.

Who wants the reasons of a single rule, with the rule as the compiled ruleset has it:

    spec, documents = load_located(paths)
    why = Explanation(spec, documents)
    why.of_rule("ens3", "forward", 'oifname "vens3" ct status dnat accept')

`of_element` does the same for an element of a set or a map, `of_operation` for a command. Each
`Reason` has its router, key, file and line as data, and `str(reason)` is what `compile --explain`
prints of it.
"""

from .reasons import Explanation, Reason, Reasons

__all__ = ["Explanation", "Reason", "Reasons"]
