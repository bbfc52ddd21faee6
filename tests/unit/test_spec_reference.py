"""The reference says of every key what the reader does, and the README names them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli

from nftnsr.spec.keys import HOST_KEYS, INNER_KEYS, MADE_KEYS, ROUTER_KEYS
from nftnsr.spec.reference import Row, Section, reference, toml

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTIONS = reference()
TABLES = [section for section in SECTIONS if section.title.startswith("[")]
OWN = {section.title[:-1].rpartition(".")[2] for section in TABLES[1:]}
"""The keys that have a section of their own."""
ROWS = [(section, row) for section in SECTIONS for row in section.rows]


def test_reference_has_every_key_in_its_table() -> None:
    found = {section.title: [row.name for row in section.rows] for section in SECTIONS}
    assert found["[router.NAME]"] == list(ROUTER_KEYS)
    assert found["[router.NAME.host]"] == list(HOST_KEYS)
    assert found["a table in uplink of [router.NAME]"] == list(MADE_KEYS)
    assert found["[router.NAME.inner.NAME]"] == list(INNER_KEYS)


def test_types_are_in_words() -> None:
    types = {row.name: row.type for row in SECTIONS[0].rows}
    assert types["uplink"] == "interface or table"
    assert types["addresses"] == "array of addresses with prefix length or tables"
    assert types["gateways"] == "array of addresses, at most 2"
    assert types["accept_ra"] == "0 or 1 or 2"
    assert types["inbound_ipv6"] == '"open" or "forwards"'


def test_values_are_toml() -> None:
    value = {"a": ["é\n", True], "b": {"c": 7}}
    assert tomli.loads(f"x = {toml(value)}") == {"x": value}


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=lambda row: row.name)
def test_examples_and_defaults_are_toml(row: Row) -> None:
    assert row.doc.endswith(".")
    for value in filter(None, (row.example, row.default)):
        assert toml(tomli.loads(f"x = {value}")["x"]) == value


def _part(section: Section) -> str:
    """What the README says of a section: below its heading, else below that of the spec."""
    heading = re.search(rf"^### `{re.escape(section.title)}`.*$", README, re.MULTILINE)
    if heading is None:
        return README.partition("\n## The spec\n")[2].partition("\n## ")[0]
    return re.split(r"\n##+ ", README[heading.end() :])[0]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_readme_names_every_key(section: Section) -> None:
    named = set(re.findall(r"`(\w+)`|\b(\w+) +=", _part(section)))
    missing = {row.name for row in section.rows} - {name for pair in named for name in pair}
    assert missing <= OWN


def _cells(section: Section) -> dict[str, str]:
    """What the README's table of a section has in its second column, by key."""
    lines = re.findall(r"^\| (`.*?) \| (.*?) ?\| .* \|$", _part(section), re.MULTILINE)
    return {name: cell for keys, cell in lines for name in re.findall(r"`(\w+)`", keys)}


@pytest.mark.parametrize(
    "section", [s for s in SECTIONS if s.title[0] == "["], ids=lambda s: s.title
)
def test_readme_has_the_tables_of_the_reference(section: Section) -> None:
    cells = _cells(section)
    assert set(cells) == {row.name for row in section.rows} - OWN
    for row in section.rows:
        if row.name in OWN:
            continue
        if row.required:
            assert cells[row.name] == "required"
        elif row.default is not None:
            assert row.default.strip('"') in re.findall(r'`"?(.*?)"?`', cells[row.name])
