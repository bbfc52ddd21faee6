"""The ruleset as text: to nft's syntax, from nft's own listing, and from one to the other.

nft lists a table in a normal form of its own, which differs by version. The wanted text is loaded
and listed in a scratch namespace before it is compared, so that both sides speak the same words
and reading a listing needs no grammar, only its blocks, lines and commas.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import takewhile
from typing import Literal, TypeVar

from nftnsr.state.model import Block, Chain, Rule_, Set, Table

_BLOCK = re.compile(r"^\t([a-z ]+) (\S+) \{$")
_TABLE = re.compile(r"^table (\S+) (\S+) \{$")
_ELEMENTS = "elements = {"
_CHAIN_HEAD = ("type ", 'comment "')  # a chain's comment cannot be changed: it is as its hook is
# The state of an element (counter values, expiry) is no part of what is wanted.
_STATE = re.compile(r" counter(?: packets \d+ bytes \d+)?(?= |$)| expires \S+")
_COUNTED = re.compile(r"([^\s{,][^{,]*?) counter packets (\d+) bytes (\d+)(?: : ([^,}]*[^,} ]))?")
# What somebody may have written to an element beside its key and value.
_ODDITY = re.compile(r' comment "[^"]*"| timeout \S+')
_NUMBERS = re.compile(r"(\d+)")

Counter = tuple[str, str, str, int, int]
"""Set or map, match, target (of a map's element, else empty), packets, bytes."""

R = TypeVar("R", Table, Chain, Set, Block)


def ruleset_text(items: Iterable[Rule_]) -> str:
    """A ruleset that `nft -f` loads, in the layout of `nft list ruleset`."""
    items = tuple(items)
    lines: list[str] = []
    for table in _of(items, Table):
        lines += [f"table {table.family} {table.name} {{", *_indent(table.lines)]
        members = [i for i in items if not isinstance(i, Table) and i.table == table.key[1:]]
        # A rule can name a map only after it: sets come first, as nft lists them.
        for item in sorted(members, key=lambda i: isinstance(i, Chain)):
            lines += ([] if lines[-1].endswith("{") else [""]) + _indent(block_lines(item))
        lines += ["}"]
    return "".join(f"{line}\n" for line in lines)


def block_lines(item: Chain | Set | Block) -> list[str]:
    """One chain, set or map as lines of text, elements in natural order."""
    match item:
        case Chain():
            head = f"chain {item.name} {{"
            body = [*([item.hook] if item.hook else []), *item.rules]
        case Set():
            head = f"{item.kind} {item.name} {{"
            body = list(item.lines)
            if item.elements:
                rows = [f"{element}," for element in sorted(item.elements, key=natural)]
                rows[-1] = rows[-1].removesuffix(",")
                body += [f"{_ELEMENTS}", *_indent(rows), "}"]
        case Block():
            head = f"{item.kind} {item.name} {{"
            body = list(item.lines)
    return [head, *_indent(body), "}"]


def plain(element: str) -> str:
    """An element without comment and timeout: its key, and the value of a map's."""
    return _ODDITY.sub("", element)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `tcp . 80` comes before `tcp . 443`."""
    return tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in _NUMBERS.split(text))


def read_listing(listing: str) -> tuple[Rule_, ...]:
    """The tables of a listing, as `nft list table` or `nft list ruleset` print them."""
    items: list[Rule_] = []
    table: tuple[str, str] | None = None
    loose: list[str] = []
    lines = iter(listing.splitlines())
    for line in lines:
        if start := _TABLE.match(line):
            table, loose = (start[1], start[2]), []
        elif table is None:
            continue
        elif line == "}":
            position = next((n for n, i in enumerate(items) if _in(i, table)), len(items))
            items.insert(position, Table(*table, tuple(loose)))
            table = None
        elif start := _BLOCK.match(line):
            items.append(_read_block(table, start[1], start[2], _body(lines)))
        elif line.strip():
            loose.append(line.strip())
    return tuple(items)


def read_counters(listing: str) -> Iterator[Counter]:
    """The counted elements of a listing that was made with counters."""
    name = ""
    for line in listing.splitlines():
        if start := _BLOCK.match(line):
            name = start[2]
        elif found := _COUNTED.search(line):
            match, packets, count, target = found.groups()
            yield name, match, target or "", int(packets), int(count)


def batch(wanted: Iterable[Rule_], observed: Iterable[Rule_]) -> str:
    """The nft commands that lead from `observed` to `wanted`, for one atomic transaction.

    Tables, base chains and maps that stay are kept: chains are flushed and refilled, sets get
    the difference of their elements. Deleting and adding a table, even in one transaction, lets
    packets through untranslated and loses counters (1 to 13 in 1000 re-applies under flood).
    """
    want = {i.key: i for i in wanted}
    have = {i.key: i for i in observed}
    stale = {table_of(i) for k, i in have.items() if isinstance(i, Table) and want.get(k) != i}
    kept = {table_of(i) for i in have.values()} - stale
    new = [i for i in want.values() if table_of(i) not in kept]
    commands = [f"delete table {family} {name}\n" for family, name in sorted(stale)]
    commands += [ruleset_text(new)]
    commands += [
        f"{command}\n"
        for command in _change(
            {k: i for k, i in want.items() if table_of(i) in kept},
            {k: i for k, i in have.items() if table_of(i) in kept},
        )
    ]
    return "".join(commands)


def _change(
    want: dict[tuple[object, ...], Rule_], have: dict[tuple[object, ...], Rule_]
) -> list[str]:
    old_sets, new_sets = _select(have, Set), _select(want, Set)
    stale = {k for k, s in old_sets.items() if _declaration(new_sets.get(k)) != _declaration(s)}
    old_chains, new_chains = _select(have, Chain), _select(want, Chain)
    gone = {k for k, c in old_chains.items() if k not in new_chains}
    moved = {k for k, c in old_chains.items() if k in new_chains and _moved(c, new_chains[k])}
    old_blocks, new_blocks = _select(have, Block), _select(want, Block)
    stale_blocks = {k for k, b in old_blocks.items() if new_blocks.get(k) != b}
    # What a rule names cannot be deleted: its chains are refilled around it.
    named = {f"@{old_sets[k].name}" for k in stale}
    named |= {f'"{old_blocks[k].name}"' for k in stale_blocks}
    users = {k for k, c in old_chains.items() if _names_any(c, named)}
    refill = {k for k, c in new_chains.items() if old_chains.get(k) != c} | (users - gone)
    commands = [f"flush chain {_full(old_chains[k])}" for k in (refill | gone) & old_chains.keys()]
    # Elements of a verdict map name chains, as rules name sets: they go before these, and come
    # after them.
    stay = {k: s for k, s in old_sets.items() if k not in stale}
    commands += [c for k, s in stay.items() for c in _elements("delete", s, new_sets[k])]
    commands += [f"delete {old_sets[k].kind} {_full(old_sets[k])}" for k in stale]
    commands += [f"delete chain {_full(old_chains[k])}" for k in gone | moved]
    commands += [f"delete {old_blocks[k].kind} {_full(old_blocks[k])}" for k in stale_blocks]
    fresh = {k: b for k, b in new_blocks.items() if old_blocks.get(k) != b}
    commands += [_declared(b) for b in fresh.values()]
    commands += [_declared(s) for k, s in new_sets.items() if k not in stay]
    for key, chain in new_chains.items():
        if key in refill:
            declared = f" {{ {chain.hook} }}" if chain.hook else ""
            commands.append(f"add chain {_full(chain)}{declared}")
    commands += [c for k, s in new_sets.items() for c in _elements("add", s, stay.get(k))]
    for key, chain in new_chains.items():
        if key in refill:
            commands += [f"add rule {_full(chain)} {rule}" for rule in chain.rules]
    return commands


def _declared(item: Set | Block) -> str:
    lines = " ".join(f"{line};" for line in item.lines)
    return f"add {item.kind} {_full(item)} {{ {lines} }}"


def _elements(verb: Literal["add", "delete"], item: Set, other: Set | None) -> Iterator[str]:
    """The command for those elements of a set that `other`, if there is one, has not."""
    elements = sorted(item.elements - (other.elements if other is not None else frozenset()))
    if verb == "delete":
        elements = [plain(element).split(" : ")[0] for element in elements]
    if elements:
        yield f"{verb} element {_full(item)} {{ {', '.join(elements)} }}"


def _moved(old: Chain, new: Chain) -> bool:
    """Whether the chain is at another hook or priority; a policy alone can be changed in place."""
    return old.hook.split("; policy")[0] != new.hook.split("; policy")[0]


def _names_any(chain: Chain, names: Collection[str]) -> bool:
    """Whether a rule has one of these words, with which it names a set or an object."""
    words = {word.strip(";,") for rule in chain.rules for word in rule.split()}
    return not words.isdisjoint(names)


def _declaration(item: Set | None) -> tuple[str, ...] | None:
    return None if item is None else item.lines


def _full(item: Chain | Set | Block) -> str:
    return f"{item.table[0]} {item.table[1]} {item.name}"


def table_of(item: Rule_) -> tuple[str, str]:
    """Family and name of the table that an item is, or is in."""
    return (item.family, item.name) if isinstance(item, Table) else item.table


def _in(item: Rule_, table: tuple[str, str]) -> bool:
    return table_of(item) == table


def _select(items: dict[tuple[object, ...], Rule_], kind: type[R]) -> dict[tuple[object, ...], R]:
    return {key: item for key, item in items.items() if isinstance(item, kind)}


def _of(items: Iterable[Rule_], kind: type[R]) -> Iterator[R]:
    return (item for item in items if isinstance(item, kind))


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"\t{line}" for line in lines]


def _body(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "\t}":
            return
        yield line.strip()


def _read_block(table: tuple[str, str], kind: str, name: str, body: Iterator[str]) -> Rule_:
    lines = tuple(body)
    if kind == "chain":
        head = list(takewhile(lambda line: line.startswith(_CHAIN_HEAD), lines))
        hook = " ".join(line if line.endswith(";") else f"{line};" for line in head)
        return Chain(table, name, hook, lines[len(head) :])
    if kind not in ("set", "map"):
        return Block(table, kind, name, lines)
    start = next((n for n, line in enumerate(lines) if line.startswith(_ELEMENTS)), len(lines))
    if any(line.startswith("flags ") and "dynamic" in line for line in lines[:start]):
        # What packets put in is no part of what is wanted.
        return Set(table, "set" if kind == "set" else "map", name, lines[:start])
    text = " ".join(lines[start:]).removeprefix(_ELEMENTS).removesuffix("}").strip()
    elements = frozenset(_STATE.sub("", element) for element in _split(text))
    return Set(table, "set" if kind == "set" else "map", name, lines[:start], elements)


def _split(text: str) -> list[str]:
    """The parts of `text` between commas, quoted ones (comments) left alone."""
    if '"' not in text:
        return text.split(", ") if text else []
    return [part.strip() for part in re.findall(r'(?:[^,"]|"[^"]*")+', text)]
