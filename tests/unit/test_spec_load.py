"""Files: what cannot be read, and several that are applied together."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from nftnsr.spec import Problem, SpecError, load, load_all, parse
from nftnsr.spec.model import Router

_HERE = Path(__file__).parents
SPECS = sorted(
    [*(_HERE[1] / "corpus/good").glob("*.toml"), *(_HERE[2] / "rulesets").glob("*.toml")]
)

ROUTER = """\
[router.{name}]
uplink = "{name}"
addresses = ["192.0.2.{n}/24"]

[router.{name}.host]
interface = "v{name}"
addresses = ["10.0.{n}.2/24"]
router_addresses = ["10.0.{n}.1/24"]
default_route = {default}
"""


def router(name: str, n: int, default: str = "false") -> str:
    return ROUTER.format(name=name, n=n, default=default)


def problems_of(*texts: str, tmp_path: Path) -> list[Problem]:
    paths = []
    for index, text in enumerate(texts):
        path = tmp_path / f"{index}.toml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    with pytest.raises(SpecError) as caught:
        load_all(paths)
    return list(caught.value.problems)


def only(problems: tuple[Problem, ...] | list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_missing_file_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "none.toml")
    problem = only(caught.value.problems)
    assert problem.message == "there is no such file"
    assert problem.place == str(tmp_path / "none.toml")
    assert problem.line is None


def test_directory_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path)
    assert "directory" in only(caught.value.problems).message


def test_impossible_file_name_is_one_problem() -> None:
    with pytest.raises(SpecError) as caught:
        load("a\0b")
    assert only(caught.value.problems).line is None


def test_refusal_of_the_kernel_is_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SpecError) as caught:
        load("spec.toml")
    assert "may not be read" in only(caught.value.problems).message


def test_lone_surrogate_is_a_problem_as_stray_bytes_are() -> None:
    with pytest.raises(SpecError) as caught:
        parse(router("a", 1).replace('uplink = "a"', 'uplink = "\ud800"'), "a.toml")
    problem = only(caught.value.problems)
    assert (problem.line, problem.column) == (2, 11)


def test_routers_of_several_files_are_sorted_by_name(tmp_path: Path) -> None:
    for name, n in (("b", 1), ("c", 2), ("a", 3)):
        (tmp_path / f"{n}.toml").write_text(router(name, n), encoding="utf-8")
    spec = load_all(sorted(tmp_path.iterdir()))
    assert [r.name for r in spec.routers] == ["a", "b", "c"]
    assert all(isinstance(r, Router) for r in spec.routers)


@pytest.mark.parametrize(
    ("second", "place", "words"),
    [
        (router("a", 2), "1.toml:1:9", "another router of this name"),
        (router("b", 2).replace('uplink = "b"', 'uplink = "a"'), "1.toml:2:10", 'uplink "a"'),
        (router("b", 2).replace('"vb"', '"va"'), "1.toml:6:13", 'host interface "va"'),
        (router("b", 2).replace('"vb"', '"a"'), "1.toml:6:13", "the name of an uplink"),
        (router("b", 2).replace("10.0.2.2/", "10.0.1.9/").replace("10.0.2.1/", "10.0.1.10/"),
         "1.toml:7:14", "network 10.0.1.0/24 overlaps 10.0.1.0/24"),
        (router("b", 2).replace("192.0.2.2/", "192.0.2.1/"), "1.toml:3:14", "address 192.0.2.1"),
        (router("b", 2, "true"), "1.toml:9:17", "a second IPv4 default route"),
    ],
)  # fmt: skip
def test_conflict_between_files_names_both_places(
    tmp_path: Path, second: str, place: str, words: str
) -> None:
    first = router("a", 1, "true")
    found = problems_of(first, second, tmp_path=tmp_path)
    problem = next(p for p in found if words in p.message)
    assert problem.place.endswith(place)
    assert f"({tmp_path / '0.toml'}:" in problem.message


def test_two_ends_in_namespaces_of_their_own_may_have_one_link_local(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(router("a", 1), encoding="utf-8")
    (tmp_path / "b.toml").write_text(router("b", 2), encoding="utf-8")
    assert len(load_all([tmp_path / "a.toml", tmp_path / "b.toml"]).routers) == 2


def test_every_file_is_reported_in_one_run(tmp_path: Path) -> None:
    found = problems_of("a = ", "", router("c", 1).replace("/24", ""), tmp_path=tmp_path)
    assert {Path(problem.file).name for problem in found} == {"0.toml", "1.toml", "2.toml"}


def test_problems_are_in_the_order_of_their_lines() -> None:
    text = router("a", 1).replace("/24", "").replace('"va"', "7") + "x = 1\n"
    with pytest.raises(SpecError) as caught:
        parse(text, "a.toml")
    lines = [problem.line or 0 for problem in caught.value.problems]
    assert lines == sorted(lines) and len(lines) == 5


def test_spec_error_survives_pickling_and_prints_its_places() -> None:
    with pytest.raises(SpecError) as caught:
        parse("router = 1", "a.toml")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again).startswith("a.toml:1:10: ")


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_spec_tells_every_file_that_was_read_for_it(path: Path) -> None:
    """Or a seal of `diff` would not notice that such a file has changed."""
    opened: list[str] = []
    on = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if on and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(note)  # there is no way to take one away
    spec = load(path)
    on = False
    assert {p for p in opened if not p.endswith((".py", ".pyc"))} == {str(path), *spec.beside}


def test_block_list_that_makes_something_dead_is_told_with_both_lines(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("45.134.26.0/24\n2a0e::/16\n")
    spec = tmp_path / "spec.toml"
    spec.write_text("""
[router.a]
uplink = "ens3"
addresses = ["145.97.20.2/24", "2a00:1450:4001::3/64"]
forward = [{ port = 1, from = ["45.134.26.0/25", "2a0e:1::/32"] },
           { port = 2, from = ["45.134.26.0/23"] }]
[router.a.filter]
blocklists = { bad = "bad.txt" }
input = [{ port = 3, from = ["45.134.26.9/32"] }, { port = 4, from = ["45.134.27.9/32"] }]
egress = ["10.42.0.0/24 -> 45.134.26.0/24 443/tcp", "10.42.0.0/24 -> 45.134.0.0/16"]
[router.a.host]
interface = "vens3"
addresses = ["192.168.158.2/24", "2a00:1450:4001::2/128"]
router_addresses = ["192.168.158.1/24"]
networks = ["10.42.0.0/24"]
""")
    with pytest.raises(SpecError) as caught:
        load(spec)
    assert [
        (p.line, p.message.partition('block list "bad" ')[2]) for p in caught.value.problems
    ] == [
        (5, "holds all its sources: nobody could use it (line 8)"),
        (9, "holds all its sources: nobody could use it (line 8)"),
        (10, "holds 45.134.26.0/24: nothing goes there (line 8)"),
    ]
