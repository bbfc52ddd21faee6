"""Each spec of the corpus is accepted, or refused with exactly the words beside it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
import tomli
from jsonschema import Draft202012Validator

from nftnsr.report.problems import problems_text
from nftnsr.spec import SpecError, load, parse

CORPUS = Path(__file__).parents[1] / "corpus"
BAD = sorted((CORPUS / "bad").glob("*.toml"))
GOOD = sorted((CORPUS / "good").glob("*.toml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_spec_is_refused_with_its_golden_words(
    path: Path, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(SpecError) as caught:
        parse(path.read_bytes(), path.name)
    said = problems_text(caught.value.problems, colour=False)
    golden = path.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_spec_is_accepted(path: Path) -> None:
    assert load(path).routers


def test_corpus_is_as_large_as_it_should_be() -> None:
    assert len(BAD) >= 60
    assert {path.stem for path in BAD} == {path.stem for path in (CORPUS / "bad").glob("*.txt")}


SCHEMA = json.loads(files("nftnsr.spec").joinpath("schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_spec_validates_against_the_schema(path: Path) -> None:
    Draft202012Validator(SCHEMA).validate(tomli.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "name",
    [
        "address-a-number",
        "address-without-prefix",
        "addresses-a-string",
        "empty-addresses",
        "flag-a-string",
        "forward-a-number",
        "forward-no-protocol",
        "forward-not-an-array",
        "forward-table-types",
        "host-a-string",
        "inbound-ipv6-word",
        "missing-host",
        "missing-uplink",
        "number-a-string",
        "router-no-table",
        "top-level-key",
        "unknown-key",
        "unknown-key-in-forward",
    ],
)
def test_mistyped_spec_is_refused_by_the_schema_too(name: str) -> None:
    data = tomli.loads((CORPUS / "bad" / f"{name}.toml").read_text(encoding="utf-8"))
    assert not Draft202012Validator(SCHEMA).is_valid(data)
