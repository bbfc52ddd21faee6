"""The pages that are made of the program: keys, commands, rulesets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nftnsr.arguments import parser
from nftnsr.manual.spec import FORWARDS
from nftnsr.manual.verbs import Option, Verb, common, verbs
from nftnsr.spec.reference import Row, Section, reference

RULESETS = Path(__file__).parents[1] / "rulesets"


def write(directory: Path) -> None:
    """Write the pages; one that says the same stays, so that Sphinx need not read it again."""
    directory.mkdir(exist_ok=True)
    pages = {"spec.md": spec(), "commands.md": commands(), "rulesets.md": rulesets()}
    for name, text in pages.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# -- the spec --------------------------------------------------------------------------------

_SPEC = """\
# The spec

A spec is a TOML file, in `/etc/nftnsr` unless you name it on the command line. Each table
`[router.NAME]` is a network namespace of this name. Every key has a type that is checked, and
nothing is coerced: `"22"` is not a number. What you do not write is implied, and `nftnsr compile`
shows it.

The manual page nftnsr.toml(5) has the same on your machine. For editors there is a JSON Schema:
`python -m nftnsr.spec.schema` prints it.

## How a forward is written

| | |
|---|---|
{forwards}
| `{ port = 443, from = ["203.0.113.0/24"] }` | a table, with more to say |
"""


def spec() -> str:
    forwards = "\n".join(f'| `"{text}"` | {meaning} |' for text, meaning in FORWARDS)
    head = _SPEC.replace("{forwards}", forwards)
    return "\n".join([head, *(line for each in reference() for line in _section(each))])


def _section(each: Section) -> Iterator[str]:
    title = f"`{each.title}`" if each.title.startswith("[") else f"A{each.title[1:]}"
    yield f"\n## {title}\n"
    for row in each.rows:
        yield from _row(row)


def _row(row: Row) -> Iterator[str]:
    presence = "required" if row.required else "optional"
    if row.default is not None:
        presence = f"default `{row.default}`"
    yield f"`{row.name}`"
    yield f": {row.doc}\n"
    yield f"  *{row.type}*, {presence}. For instance `{row.name} = {row.example}`\n"


# -- the commands ----------------------------------------------------------------------------

_COMMANDS = """\
# The commands

Without a SPEC, commands that take one take every `/etc/nftnsr/*.toml`. The result goes to stdout,
messages go to stderr. There is colour on a terminal only, and none with `NO_COLOR`.

| exit status | |
|---|---|
| 0 | done, or nothing to do; of `diff`: the kernel is as the spec says |
| 1 | of `diff`: the kernel differs; of `rehearse`: a probe failed; of `trace`: not answered |
| 2 | trouble; nothing was changed, or all of it was undone |
| 3 | trouble, and the undo did not succeed; what is left, and how to mend it, was printed |
"""


def commands() -> str:
    found = verbs(parser())
    shared = common(found)
    lines = [_COMMANDS, "## Options of all commands\n", *(_option(o) for o in shared)]
    for verb in found:
        lines += _verb(verb, shared)
    return "\n".join(lines)


def _verb(verb: Verb, shared: tuple[Option, ...]) -> Iterator[str]:
    yield f"\n## `nftnsr {verb.name}`\n\n{_sentence(verb.help)}\n\n```\n{verb.usage}\n```\n"
    yield from (_option(option) for option in verb.options if option not in shared)


def _option(option: Option) -> str:
    value = f" {option.metavar}" if option.metavar else ""
    names = ", ".join(f"`{word}{value}`" for word in option.words) or f"`{option.metavar}`"
    return f"{names}\n: {_sentence(option.help)}\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


# -- the rulesets ----------------------------------------------------------------------------

_RULESETS = """\
# Specs worth copying

Each with what `nftnsr graph` draws of it and the ruleset that `nftnsr compile --ruleset` prints.
They are in the directory `rulesets` of the source, and the tests rehearse each of them with real
packets.
"""


def rulesets() -> str:
    paths = sorted(RULESETS.glob("*.toml"))
    return "\n".join([_RULESETS, *(_ruleset(path) for path in paths)])


def _ruleset(path: Path) -> str:
    name = path.stem
    return f"""
## {name}

{_purpose(path)}

![The router of {name}](../../rulesets/{name}.svg)

```{{literalinclude}} ../../rulesets/{name}.toml
:language: toml
```

<details><summary>The ruleset</summary>

```{{literalinclude}} ../../rulesets/{name}.nft
:language: text
```

</details>
"""


def _purpose(path: Path) -> str:
    """The first paragraph of its comment."""
    text = path.read_text(encoding="utf-8")
    comment = re.match(r"(?:# .*\n)+", text)
    assert comment is not None
    return re.sub(r"^# ", "", comment[0], flags=re.MULTILINE).strip()
