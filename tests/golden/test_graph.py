"""The pictures of the shipped specs are the golden ones; whoever changes them looks at them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from nftnsr.report.graph import Format, picture
from nftnsr.spec import load
from tests.golden.test_rulesets import RULESETS, SPECS, held

GRAPHS = Path(__file__).parent / "graph"
PLACES: dict[Format, tuple[Path, str]] = {
    "svg": (RULESETS, ".svg"),
    "mermaid": (GRAPHS, ".mmd"),
    "dot": (GRAPHS, ".dot"),
}


@pytest.mark.parametrize("form", get_args(Format))
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_is_drawn_as_its_golden_picture(
    path: Path, form: Format, request: pytest.FixtureRequest
) -> None:
    said = picture(load(path), form)
    folder, ending = PLACES[form]
    assert said == held(folder / f"{path.stem}{ending}", said, request)


def test_every_spec_has_its_pictures_and_none_is_left_over() -> None:
    names = {path.stem for path in SPECS}
    for folder, ending in PLACES.values():
        assert {path.stem for path in folder.glob(f"*{ending}")} == names
