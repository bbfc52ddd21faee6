"""The specs that are worth copying compile to exactly what lies beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from nftnsr.compile import compile_spec
from nftnsr.explain import Explanation
from nftnsr.report.explained import explained_text
from nftnsr.report.operations import operations_text
from nftnsr.spec import load, load_located
from nftnsr.spec.keys import FORWARD_KEYS, SNAT_KEYS
from nftnsr.state.ruleset import ruleset_text
from nftnsr.transaction.first import first_apply

HERE = Path(__file__).parent
RULESETS = HERE.parents[1] / "rulesets"
SPECS = sorted(RULESETS.glob("*.toml"))


def held(golden: Path, said: str, request: pytest.FixtureRequest) -> str:
    """The text of a golden file, made new first where that was asked for."""
    if request.config.getoption("--update-golden"):
        golden.write_text(said, encoding="utf-8")
    return golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_compiles_to_the_ruleset_beside_it(path: Path, request: pytest.FixtureRequest) -> None:
    spec = load(path)
    state = compile_spec(spec)
    said = "\n".join(ruleset_text(state[router.name].ruleset) for router in spec.routers)
    assert said == held(path.with_suffix(".nft"), said, request)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_compiles_to_its_golden_operations(path: Path, request: pytest.FixtureRequest) -> None:
    spec = load(path)
    said = operations_text(first_apply(spec, compile_spec(spec)))
    assert said == held(HERE / f"{path.stem}.sh", said, request)


def test_article_is_explained_line_by_line(request: pytest.FixtureRequest) -> None:
    spec, documents = load_located([RULESETS / "article.toml"])
    said = explained_text(first_apply(spec, compile_spec(spec)), Explanation(spec, documents))
    assert said == held(HERE / "article.explained", said, request)


def test_every_spec_has_its_golden_files_and_none_is_left_over() -> None:
    names = {path.stem for path in SPECS}
    assert len(names) >= 5
    assert {path.stem for path in RULESETS.glob("*.nft")} == names
    assert {path.stem for path in HERE.glob("*.sh")} == names


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_says_what_it_is_for_before_anything_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.count("#") > 3
    assert max(map(len, text.splitlines())) <= 100


def test_every_key_of_a_translation_is_in_some_spec_worth_copying() -> None:
    """Of forwards, and of all that is named beside them."""
    texts = (path.read_text(encoding="utf-8") for path in SPECS)
    routers = [router for text in texts for router in tomli.loads(text)["router"].values()]
    used = {key for router in routers for key in router}
    assert {"one_to_one", "prefix_translation", "snat", "no_nat", "source_ports"} <= used
    for name, keys in (("forward", FORWARD_KEYS), ("snat", SNAT_KEYS)):
        tables = [e for router in routers for e in router.get(name, ()) if isinstance(e, dict)]
        assert {key for table in tables for key in table} == keys.keys()
