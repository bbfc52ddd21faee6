"""Every rule and command has reasons, and is not so any more once what is named is otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

import pytest

from nftnsr.compile import compile_spec
from nftnsr.explain import Explanation, Reason
from nftnsr.explain.causes import TOLD_APART
from nftnsr.explain.script import Line, lines, script
from nftnsr.report.explained import explained_json, explained_text
from nftnsr.report.operations import operations_text
from nftnsr.spec import load_located, reread
from nftnsr.spec.document import Document
from nftnsr.spec.model import Spec
from nftnsr.spec.schema import Schema, schema
from nftnsr.transaction.first import first_apply

HERE = Path(__file__).parents[2]
SPECS = sorted((HERE / "rulesets").glob("*.toml"))
GOOD = sorted((HERE / "tests" / "corpus" / "good").glob("*.toml"))


@cache
def explained(path: Path) -> tuple[Spec, Explanation, dict[Line, tuple[Reason, ...]]]:
    spec, documents = load_located([path])
    why = Explanation(spec, documents)
    return spec, why, {line: why.of(line) for line in lines(spec)}


OF_ANY_ROUTER = re.compile(
    r"ip netns add \S+|ip -n \S+ link set dev lo .*|table inet nftnsr \{|"
    r"chain (forward|postrouting) \{|type nat hook postrouting .*|"
    r"ip netns exec \S+ sysctl -qw net/ipv[46]/(ip_forward|conf/(all|default)/\w+)=\d"
)


@pytest.mark.parametrize("path", [*SPECS, *GOOD], ids=lambda path: path.stem)
def test_every_rule_element_and_command_has_a_reason(path: Path) -> None:
    for line, reasons in explained(path)[2].items():
        assert reasons, line
        if any(reason.key.startswith("[") for reason in reasons):
            assert OF_ANY_ROUTER.fullmatch(line.text), (line, reasons)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_comments_are_all_that_an_explained_script_has_more(path: Path) -> None:
    spec, why, _ = explained(path)
    operations = first_apply(spec, compile_spec(spec))
    text = re.sub(r" *  # .*", "", explained_text(operations, why))
    joined = re.sub(r"(?m)^(.*sysctl -qw) (.*)\n(?:\1 (.*)\n)*", _together, text)
    assert joined == operations_text(operations)


def _together(run: re.Match[str]) -> str:
    """The settings that the explained script writes one by one, as one command writes them."""
    settings = (line.removeprefix(f"{run[1]} ") for line in run[0].splitlines())
    return f"{run[1]} {' '.join(settings)}\n"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_what_a_reason_explains_is_not_there_when_the_text_at_its_place_is_another(
    path: Path,
) -> None:
    text = path.read_text(encoding="utf-8")
    others: dict[Reason, list[Set[Line]]] = {}
    for line, reasons in explained(path)[2].items():
        for reason in reasons:
            if not reason.key.startswith("["):
                if reason not in others:
                    others[reason] = list(_otherwise(text, path, reason))
                assert any(line not in other for other in others[reason]), (line, reason)
    assert len(others) >= 20


def _otherwise(text: str, path: Path, reason: Reason) -> Iterator[Set[Line]]:
    """What the spec amounts to with other texts at the place of the reason."""
    for other in _texts(text, reason):
        assert other != text, reason
        table = Document(str(path), other).data["router"][reason.router]
        draft, faults = reread(str(path), reason.router, table)
        try:
            yield lines(Spec((draft.finished(),)))
        except AssertionError:
            assert list(faults)


def _texts(text: str, reason: Reason) -> Iterator[str]:
    *tables, name = reason.key.split(".")
    if reason.line is None:
        header = "[" + ".".join(["router", reason.router, *tables]) + "]\n"
        value = reason.words.split(" = ", 1)[1]
        top, there, below = re.sub(r"(?m)^(\[.*\]) *#.*$", r"\1", text).partition(header)
        for other in _values(value):
            said = f"{name} = {other}\n"
            yield top + header + said + below if there else f"{text}\n{header}{said}"
        return
    top, line, below = _parts(text, reason.line)
    words = reason.words.removeprefix(reason.key)
    if words.startswith(" = ") and words[3] not in "[{":
        value = re.escape(words[3:])
        yield top + re.sub(rf"\b{name}\s*=\s*{value}(\s*,\s*)?", "", line, count=1) + below
        for other in _values(words[3:]):
            yield (
                top + re.sub(rf"\b({name}\s*=\s*){value}", rf"\g<1>{other}", line, count=1) + below
            )
    elif words.startswith(" ") and words[1] != "=":
        # An array's element.
        value, cut = re.escape(words[1:].rstrip("…")), words.endswith("…")
        rest = (r"[^}]*\}" if words[1] == "{" else r'[^"]*"') if cut else ""
        yield top + re.sub(rf"{value}{rest}\s*,?", "", line, count=1) + below
    elif (line + below).startswith("["):
        yield top + re.sub(r"(?s)\A.*?(?=\n\[|\Z)", "", line + below)  # a table with its header
    else:
        array = r"\[(?:[^\[\]]|\[[^\]]*\])*\]"
        yield top + re.sub(rf"\b{name}\s*=\s*{array}", "", line + below, count=1)


def _parts(text: str, number: int) -> tuple[str, str, str]:
    rows = text.splitlines(keepends=True)
    return "".join(rows[: number - 1]), rows[number - 1], "".join(rows[number:])


def _values(value: str) -> list[str]:
    match value:
        case "true" | "false":
            return ["false" if value == "true" else "true"]
        case '"open"' | '"preserve"' | '"source"':
            return ['"forwards"', '"random"', '"round-robin"']
        case _ if value.isdigit():
            return [str(int(value) + 1), "0"]
        case _:
            return [value[:-2] + '9"']


def test_every_key_is_the_reason_of_something_somewhere() -> None:
    """So a key that somebody adds is explained, or this fails until a spec of the corpus has it."""
    found = {
        _without_names(reason.key)
        for path in (*SPECS, *GOOD)
        for reasons in explained(path)[2].values()
        for reason in reasons
    }
    keys = set(_keys(ROUTER))
    assert len(keys) > 40
    assert keys - found == {"strict"}  # which is for what others do


ROUTER = schema()["properties"]["router"]["additionalProperties"]


def _keys(table: Schema, prefix: str = "") -> Iterator[str]:
    """The keys of a table and of the tables in it, whatever names these have."""
    for name, key in table["properties"].items():
        inner = key if "properties" in key else key.get("additionalProperties")
        if isinstance(inner, dict) and "properties" in inner:
            yield from _keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _without_names(key: str) -> str:
    """`inner.lab.mtu` as `inner.mtu`."""
    table, known = ROUTER, []
    for name in key.split("."):
        if name in table.get("properties", {}):
            known.append(name)
            table = table["properties"][name]
        else:
            table = table.get("additionalProperties") or {}
    return ".".join(known)


SPEC = """
[router.wan]
uplink = "ens3"
addresses = ["192.0.2.10/24", "2001:db8::10/64"]
forward = [
{}
]
[router.wan.host]
interface = "vens3"
addresses = ["192.168.158.2/24", "2001:db8::2/128"]
router_addresses = ["192.168.158.1/24"]
"""


def many(tmp_path: Path, forwards: list[str]) -> Explanation:
    path = tmp_path / "many.toml"
    path.write_text(SPEC.format(",\n".join(f'"{each}"' for each in forwards)), encoding="utf-8")
    return Explanation(*load_located([path]))


def test_each_forward_of_a_thousand_explains_its_own_elements(tmp_path: Path) -> None:
    ports = range(2000, 3000)
    why = many(tmp_path, [f"{port}/tcp -> 192.168.158.2:80" for port in ports])
    for number, port in enumerate(ports):
        element = f"tcp . {port} : 192.168.158.2 . 80"
        first, *_ = why.of_element("wan", "forward_ipv4", element)
        assert (first.key, first.line) == ("forward", 6 + number)
    reasons = why.of_rule(
        "wan", "prerouting",
        "ip daddr 192.0.2.10 dnat ip to meta l4proto . th dport map @forward_ipv4",
    )  # fmt: skip
    assert ("forward", 5) in {(reason.key, reason.line) for reason in reasons}


def test_no_reason_ends_the_comment_in_which_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a\nreboot\x1b.toml"
    element = '{ port = 22,\tfrom = ["203.0.113.0/24"] }'
    path.write_text(SPEC.format(element), encoding="utf-8")
    spec, documents = load_located([path])
    why = Explanation(spec, documents)
    for line in lines(spec):
        assert all(str(reason).isprintable() for reason in why.of(line))


def test_what_two_of_many_forwards_bring_is_no_reason_to_name_one(tmp_path: Path) -> None:
    alike = [f"{port}/tcp -> 192.168.158.2:80" for port in range(2000, 2020)]
    # Each brings the rule of IPv6, and no other forward does.
    why = many(tmp_path, [*alike, "22/tcp -> [2001:db8::2]:22", "23/tcp -> [2001:db8::2]:23"])
    lines_of_it = {reason.line for reason in why.of(Line("wan", "map forward_ipv6", "counter"))}
    assert 5 in lines_of_it
    assert not lines_of_it & set(range(6, 28))


def test_a_long_block_list_is_the_reason_of_its_elements(tmp_path: Path) -> None:
    networks = [f"45.{n >> 8}.{n & 255}.0/24" for n in range(0, 1000, 2)]
    (tmp_path / "long.txt").write_text("\n".join(networks), encoding="utf-8")
    path = tmp_path / "many.toml"
    blocked = '[router.wan.filter]\nblocklists = { long = "long.txt" }\n'
    path.write_text(SPEC.format('"22/tcp"') + blocked, encoding="utf-8")
    why = Explanation(*load_located([path]))
    reasons = why.of_element("wan", "block_long_ipv4", "45.3.230.0/24")
    assert [str(each) for each in reasons] == ['many.toml:13 filter.blocklists.long = "long.txt"']


def test_json_has_every_line_of_the_script_once() -> None:
    spec, why, _ = explained(HERE / "rulesets" / "article.toml")
    operations = first_apply(spec, compile_spec(spec))
    document = explained_json(operations, why)
    said = [(each["router"] or "", each["block"] or "", each["line"]) for each in document]
    assert said == [tuple(line) for _, line in script(operations) if line is not None]
    (accept,) = (
        each for each in document if each["line"] == 'oifname "vens3" ct status dnat accept'
    )
    assert accept["block"] == "chain forward"
    assert accept["reasons"] == [
        {
            "router": "ens3",
            "key": "host.interface",
            "file": str(HERE / "rulesets" / "article.toml"),
            "line": 17,
            "text": 'article.toml:17 host.interface = "vens3"',
        },
        {
            "router": "ens3",
            "key": "forward_filter",
            "file": str(HERE / "rulesets" / "article.toml"),
            "line": None,
            "text": "implied by forward_filter = true",
        },
    ]


def test_more_forwards_than_are_told_apart_have_their_key_as_reason(tmp_path: Path) -> None:
    forwards = [f"{port}/tcp -> 192.168.158.2:80" for port in range(1000, 1000 + TOLD_APART + 1)]
    why = many(tmp_path, forwards)
    (remark,) = why.remarks
    assert remark.startswith(f"many.toml:5 forward: no single one of {len(forwards)} elements")
    reasons = why.of_element("wan", "forward_ipv4", "tcp . 5000 : 192.168.158.2 . 80")
    assert [(reason.key, reason.line) for reason in reasons] == [("forward", 5)]
