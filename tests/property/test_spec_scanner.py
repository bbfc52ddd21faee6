"""The scanner finds what tomli reads, in whatever style a document is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import tomli
from hypothesis import given
from hypothesis import strategies as st

from nftnsr.spec.positions import Scanner, scan

WHITE = st.sampled_from(["", " ", "\t", "  \t"])
GAPS = st.sampled_from(["", " ", "\n", "\n\t# a ] comment, with \"'{[\n", "#\n\n  "])
CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\r")
TEXTS = st.text(CHARACTERS, max_size=12)
NAMES = st.one_of(
    st.text("abcXYZ019-_", min_size=1, max_size=4),
    st.sampled_from(['a"b', "ä", "", "a.b", "#", "\n"]),
)


def quoted(text: str) -> str:
    """A basic string; JSON's escapes are TOML's, but for DEL and what lies beyond the BMP."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def keys(draw: st.DrawFn, name: str) -> str:
    styles = [quoted(name)]
    if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        styles += [name, name]
    if "'" not in name and name.isprintable():
        styles.append(f"'{name}'")
    return draw(st.sampled_from(styles))


@st.composite
def strings(draw: st.DrawFn) -> str:
    text = draw(TEXTS)
    styles = [
        quoted(text),
        f'"""\n{quoted(text)[1:-1]}"""',
        f'"""{quoted(text)[1:-1]}\\"\n ""x"""""',
    ]
    if text.isprintable() and "'" not in text:
        styles += [f"'{text}'", f"'''{text}'''", f"'''\n{text}\n''x'''''"]
    return draw(st.sampled_from(styles))


SCALARS = st.one_of(
    strings(),
    st.sampled_from(
        [
            "true",
            "0xdead_beef",
            "-17",
            "1_000",
            "6.5e-3",
            "-inf",
            "1979-05-27",
            "07:32:00.5",
            "1979-05-27 07:32:00",
            "1979-05-27T07:32:00-07:00",
            "1979-05-27 07:32:00.25Z",
        ]
    ),
)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["scalar", "scalar", "array", "table"] if depth else ["scalar"]))
    if kind == "array":
        items = [draw(values(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
        comma = draw(st.sampled_from([",", ""])) if items else ""
        inner = ",".join(draw(GAPS) + item + draw(GAPS) for item in items)
        return f"[{inner}{comma}{draw(GAPS)}]"
    if kind == "table":
        names = draw(st.lists(NAMES, max_size=3, unique=True))
        pairs = [draw(pair(name, depth - 1)) for name in names]
        return "{" + ",".join(f" {pair} " for pair in pairs) + "}"
    return draw(SCALARS)


@st.composite
def pair(draw: st.DrawFn, name: str, depth: int = 2) -> str:
    parts = [draw(keys(name))]
    parts += [draw(keys(more)) for more in draw(st.lists(NAMES, max_size=2))]
    dot = draw(WHITE) + "." + draw(WHITE)
    return f"{dot.join(parts)}{draw(WHITE)}={draw(WHITE)}{draw(values(depth))}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = [draw(pair(name)) for name in draw(st.lists(NAMES, max_size=3, unique=True))]
    for _ in range(draw(st.integers(0, 4))):
        path = ".".join(draw(keys(name)) for name in draw(st.lists(NAMES, min_size=1, max_size=3)))
        header = draw(st.sampled_from(["[{}]", "[[{}]]", "[ {} ]", "[[ {} ]]"])).format(path)
        lines.append(draw(WHITE) + header + draw(st.sampled_from(["", " # ] [x]"])))
        lines += [draw(pair(name)) for name in draw(st.lists(NAMES, max_size=2, unique=True))]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n# end"]))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from paths(item, (*path, key))


@given(documents())
def test_every_path_is_found_and_its_text_is_its_value(text: str) -> None:
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        # What tomli refuses as repeated, the scanner must still come to the end of.
        Scanner(text).scan()
        return
    places = scan(text)
    found = dict(paths(data))
    assert found.keys() == places.keys()
    for path, value in found.items():
        place = places[path]
        if place.value is not None:
            written = text[place.value.start : place.value.end]
            assert tomli.loads(f"x = {written}")["x"] == value
        else:
            assert isinstance(value, dict | list)
        if isinstance(path[-1], str):
            written = text[place.key.start : place.key.end]
            assert tomli.loads(f"{written} = 1") == {path[-1]: 1}


@given(st.text(st.sampled_from("[]{}=.,\"'#\n\\ ab1"), max_size=40))
def test_scanner_ends_on_every_text(text: str) -> None:
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        Scanner(text[: error.pos])
    else:
        scan(text)
