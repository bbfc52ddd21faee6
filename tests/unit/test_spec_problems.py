"""How problems look to people and to programs."""

from __future__ import annotations

import json

from nftnsr.report.problems import problems_json, problems_text
from nftnsr.spec import Problem

PORT = Problem(
    "spec.toml", 14, 12, 17, 'forward "web": port 70000 is not in 1-65535', "a hint",
    '  { port = 70000, name = "web" },',
)  # fmt: skip


def test_text_has_place_line_caret_and_hint() -> None:
    assert problems_text([PORT], colour=False) == (
        'spec.toml:14:12: forward "web": port 70000 is not in 1-65535\n'
        '    { port = 70000, name = "web" },\n'
        "             ^^^^^\n"
        "  hint: a hint\n"
    )


def test_problem_of_the_whole_file_has_no_caret() -> None:
    problem = Problem("spec.toml", None, None, None, "there is no such file")
    assert problems_text([problem], colour=False) == "spec.toml: there is no such file\n"


def test_caret_meets_its_place_behind_tabs_and_wide_characters() -> None:
    problem = Problem("a", 1, 5, 6, "m", None, "\t網e\u0301x")
    assert problems_text([problem], colour=False).splitlines()[2] == "  \t   ^"


def test_long_line_is_cut_around_the_place() -> None:
    problem = Problem("a", 1, 5001, 5004, "m", None, "x" * 5000 + "bad" + "y" * 5000)
    _, source, caret = problems_text([problem], colour=False).splitlines()
    assert len(source) < 110
    assert source[caret.index("^") : caret.rindex("^") + 1] == "bad"


def test_source_cannot_command_the_terminal() -> None:
    problem = Problem("a", 1, 1, 2, "m", None, "x\x1b[31m\u202e")
    shown = problems_text([problem], colour=False)
    assert "\x1b" not in shown and "\u202e" not in shown


def test_colour_adds_only_escapes() -> None:
    import re

    coloured = problems_text([PORT], colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == problems_text([PORT], colour=False)


def test_json_has_every_field() -> None:
    document = json.loads(json.dumps(problems_json([PORT])))
    assert document == [
        {
            "file": "spec.toml",
            "line": 14,
            "column": 12,
            "end_column": 17,
            "message": 'forward "web": port 70000 is not in 1-65535',
            "hint": "a hint",
            "source": '  { port = 70000, name = "web" },',
        }
    ]
