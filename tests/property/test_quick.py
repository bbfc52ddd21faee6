"""The quick answer understands a command line as the whole program does, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nftnsr import cli
from nftnsr.commands import quick

WORDS = ["--json", "--quiet", "-q", "-qq", "--full", "--js", "--", "-", "", "a.toml", "b c", "-x"]


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from(["diff", "apply", "di"]))
def test_quick_answer_reads_a_command_line_as_the_parser_does(words: list[str], verb: str) -> None:
    named = quick.specs_named([verb, *words])
    if named is not None:
        options = cli.parser().parse_args([verb, *words])
        assert (options.verb, options.spec, options.full) == ("diff", named, False)
        assert options.json == ("--json" in words)


def test_plain_command_lines_are_understood() -> None:
    assert quick.specs_named(["diff"]) == []
    assert quick.specs_named(["diff", "--quiet"]) == []
    assert quick.specs_named(["diff", "-q", "a", "b", "--json"]) == ["a", "b"]
    assert quick.specs_named(["diff", "a", "--json", "b"]) is None
    assert quick.specs_named(["diff", "--full"]) is None
    assert quick.specs_named([]) is None
