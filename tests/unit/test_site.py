"""The documentation is built without a warning, and shows no command that is not one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from nftnsr.arguments import parser
from nftnsr.manual.verbs import verbs
from nftnsr.spec import reread
from nftnsr.spec.reference import reference
from tests.tools import need
from tests.transcripts import agrees, steps, timeless

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("sphinx", "furo", "myst_parser")
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-qW", "-b", "html", ROOT / "docs", directory]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return directory


def test_site_is_built_and_has_every_page(site: Path) -> None:
    names = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert {path.stem for path in PAGES} <= names
    assert {"generated/spec", "generated/commands", "generated/rulesets"} <= names


def test_site_takes_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:[^"]*"', text)


def test_site_has_every_key_every_command_and_every_ruleset(site: Path) -> None:
    page = {p.stem: p.read_text(encoding="utf-8") for p in (site / "generated").glob("*.html")}
    for row in (row for section in reference() for row in section.rows):
        assert f">{row.name}</span>" in page["spec"]
    for verb in verbs(parser()):
        assert f'id="nftnsr-{verb.name}"' in page["commands"]
    for path in (ROOT / "rulesets").glob("*.toml"):
        assert f"{path.stem}.svg" in page["rulesets"]
        assert f'id="{path.stem}"' in page["rulesets"]


_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every command of nftnsr in a block or in the text of a page."""
    for path in (ROOT / "README.md", *PAGES):
        text = path.read_text(encoding="utf-8")
        blocks = [b for b in _FENCE.findall(text) if b.startswith(("```sh", "```console"))]
        lines = [line.removeprefix("# ") for block in blocks for line in block.splitlines()]
        # What has brackets or bars is no command, but how commands are written.
        inline = re.findall(r"`(nftnsr [^`\[|]+)`", _FENCE.sub("", text))
        yield from ((path.name, c) for c in (*lines, *inline) if c.startswith("nftnsr "))


@pytest.mark.parametrize(("page", "command"), sorted(set(_commands())))
def test_command_is_one(page: str, command: str) -> None:
    words = shlex.split(command.partition("; ")[0])[1:]
    assert parser().parse_args(words).verb == words[0]


# -- recipes ---------------------------------------------------------------------------------

_TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FIRST_PAGE = re.compile(r":caption: /etc/nftnsr/ens3.toml\n\n(.*?)^```", re.MULTILINE | re.DOTALL)
RECIPES = _TOML.findall((ROOT / "docs" / "recipes.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_recipe_is_valid_in_the_spec_of_the_first_page(recipe: str) -> None:
    (first,) = _FIRST_PAGE.findall((ROOT / "docs" / "start.md").read_text(encoding="utf-8"))
    router = tomli.loads(first)["router"]["ens3"]
    more = tomli.loads(f"[router.ens3]\n{recipe}")["router"]["ens3"]
    host = router["host"] | more.pop("host", {})
    draft, faults = reread("spec.toml", "ens3", router | more | {"host": host})
    assert list(faults) == []
    assert draft.finished() != reread("spec.toml", "ens3", router)[0].finished()


# -- transcripts -----------------------------------------------------------------------------

PAGE = """\
```console
# nftnsr one
a
...
z
# two
```
text with ``` in it
% before: three --x

```{code-block} toml
:caption: a/b.toml
:linenos:

[router]
```
"""


def test_steps_of_a_page_are_found_where_they_are() -> None:
    found = list(steps(PAGE))
    assert [(s.kind, s.what, s.text) for s in found] == [
        ("command", "nftnsr one", "a\n...\nz\n"),
        ("command", "two", ""),
        ("before", "three --x", ""),
        ("file", "a/b.toml", "[router]\n"),
    ]
    assert PAGE[found[1].start : found[1].end] == "# two\n"


def test_shown_lines_agree_with_those_that_they_stand_for() -> None:
    assert agrees("a\n...\nz\n", "a\nz\n")
    assert agrees("a\n...\nz\n", "a\nb.c\nd\nz\n")
    assert not agrees("a\n...\nz\n", "a\nb\nz\ny\n")
    assert not agrees("a.\n", "ab\n")
    assert agrees("", "")
    assert not agrees("", "a\n")


def test_what_changes_each_time_is_left_out() -> None:
    assert timeless("begun 2026-11-25 10:11:12 by pid 77: 0.9 s\n") == (
        "begun 2026-01-02 03:04:05 by pid 1234: 0.4 s\n"
    )
