"""The manual pages and the completions: complete, well formed, and in the package."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from nftnsr.arguments import parser
from nftnsr.manual.command import nftnsr_1
from nftnsr.manual.roff import bold, example, item, page, paragraph, section
from nftnsr.manual.spec import EXAMPLE, FORWARDS, nftnsr_toml_5
from nftnsr.manual.verbs import common, verbs
from nftnsr.spec import parse
from nftnsr.spec.reference import reference
from tests.tools import need

ROOT = Path(__file__).parents[2]
DATE = "2026-01-02"
VERBS = verbs(parser())
PAGES = {"nftnsr.1": nftnsr_1(parser(), DATE), "nftnsr.toml.5": nftnsr_toml_5(DATE)}
_PATIENCE = 30.0  # seconds; a shell answers in far less


def shown(roff: str) -> str:
    """The text of a page as a terminal gets it, without emphasis."""
    done = subprocess.run(
        ["mandoc", "-Tutf8", "-Owidth=200"], input=roff, capture_output=True, text=True, check=True
    )
    return re.sub(r".\x08", "", done.stdout)


# -- manual pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_fault(name: str, tmp_path: Path) -> None:
    need("mandoc")
    path = tmp_path / name
    path.write_text(PAGES[name], encoding="utf-8")
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", path], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_page_has_every_command_and_every_option() -> None:
    need("mandoc")
    text = shown(PAGES["nftnsr.1"])
    assert len(VERBS) > 10
    for verb in VERBS:
        assert f"\n   {verb.name}\n" in text
        assert f"nftnsr {verb.name} [options]" in text
        for option in verb.options:
            assert ", ".join(option.words) in text or f"{option.words[0]} {option.metavar}" in text


def test_what_runs_unseen_is_not_in_the_page() -> None:
    assert "revert" not in {verb.name for verb in VERBS}
    assert "revert" not in PAGES["nftnsr.1"]


def test_options_of_all_commands_are_told_once() -> None:
    assert [option.words[0] for option in common(VERBS)] == ["--json", "--quiet"]
    assert PAGES["nftnsr.1"].count(bold("--json")) == 1


def test_page_has_every_key_with_its_type_and_default() -> None:
    need("mandoc")
    text = " ".join(shown(PAGES["nftnsr.toml.5"]).split())
    for part in reference():
        assert part.title.removeprefix("a ") in text
        for row in part.rows:
            presence = "required" if row.required else f"default {row.default}"
            if row.default is None and not row.required:
                presence = "optional"
            assert f"{row.name} ({row.type}; {presence})" in text


def test_example_of_the_page_is_a_spec() -> None:
    assert [router.name for router in parse(EXAMPLE, "example.toml").routers] == ["ens3"]


@pytest.mark.parametrize("text", [text for text, _ in FORWARDS])
def test_every_form_of_a_forward_is_read(text: str) -> None:
    head, _, tail = EXAMPLE.partition("forward   = [")
    _, _, host = tail.partition("\n]\n")
    spec = f'{head}forward = ["{text}"]\n{host}'.replace('["10.42', '["fd00:42::/64", "10.42')
    assert len(parse(spec, "example.toml").routers[0].forward) == 1


def test_any_text_comes_out_of_roff_as_it_went_in() -> None:
    need("mandoc")
    lines = [".SH no request", "'a' \\fBno font\\fR", "--all -1 ^a `b` ~c", "\\(aq \\e"]
    parts = [example("\n".join(lines)), item(bold(lines[1]), ".first -- \\e `code` last")]
    text = shown(page("X", 1, DATE, "x", [section("ONE", paragraph("...")), *parts]))
    assert all(line in text for line in lines)
    assert ".first -- \\e code last" in text
    # Else groff makes it a hyphen, which no shell takes for an option's.
    assert bold("--all") == r"\fB\-\-all\fR"


# -- completions -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `python -m nftnsr.manual` fills."""
    need("shtab")
    directory = tmp_path_factory.mktemp("manual")
    subprocess.run([sys.executable, "-m", "nftnsr.manual", directory], check=True, cwd=ROOT)
    return directory


COMPLETED = {
    "nftnsr ": [verb.name for verb in VERBS],
    "nftnsr roll": ["rollback"],
    "nftnsr rever": [],
    "nftnsr apply --con": ["--confirm", "--confirm-by-connect"],
    "nftnsr graph --format ": ["svg", "mermaid", "dot"],
    "nftnsr apply a": ["a.toml", "aside"],
    "nftnsr graph --output a.t": ["a.toml", "a.txt"],
    "nftnsr status ": ["a.toml", "aside", "ens3", "wan"],
    "nftnsr down w": ["wan"],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a spec, something else, and two routers that were applied."""
    (tmp_path / "aside").mkdir()
    for name in ("a.toml", "a.txt", "ens3.json", "wan.json"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("line", COMPLETED)
def test_bash_completes(line: str, made: Path, place: Path) -> None:
    file = made / "share/bash-completion/completions/nftnsr"
    # The real directory may only be read, and be empty, here.
    text = file.read_text().replace("/var/lib/nftnsr/", f"{place}/")
    words = line.split(" ")
    script = f"""{text}
        COMP_WORDS=({" ".join(w or "''" for w in words)}); COMP_CWORD={len(words) - 1}
        function=$(complete -p nftnsr | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function nftnsr '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=place)
    assert done.stderr == ""
    assert sorted(set(done.stdout.split())) == sorted(COMPLETED[line])


@contextmanager
def shell(*command: str, cwd: Path) -> Iterator[int]:
    """A shell on a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(command[0], command, {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": "$ "})
    try:
        yield terminal
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def typed(terminal: int, text: str, awaited: str) -> str:
    """Type `text`; what the terminal shows from then on, up to what is awaited."""
    os.write(terminal, text.encode())
    end, seen = time.monotonic() + _PATIENCE, ""
    while awaited not in seen:
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], seen
        seen += os.read(terminal, 65536).decode()
    return seen


# In place of the program, so that what was completed can be told from its echo.
_SAYER = "nftnsr() { printf '<%s>' \"$@\"; echo; }"


def test_terminal_with_bash_completes(made: Path, place: Path) -> None:
    file = made / "share/bash-completion/completions/nftnsr"
    with shell("bash", "--norc", "--noprofile", "-i", cwd=place) as terminal:
        typed(terminal, f"source {file}; {_SAYER}; echo rea''dy\n", "ready\r\n")
        typed(terminal, "nftnsr roll\t\n", "<rollback>\r\n")
        typed(terminal, "nftnsr validate a.to\t\n", "<validate><a.toml>\r\n")
        typed(terminal, "nftnsr validate as\t\n", "<validate><aside/>\r\n")


def test_terminal_with_zsh_completes(made: Path, place: Path) -> None:
    need("zsh")
    functions = made / "share/zsh/site-functions"
    with shell("zsh", "-f", "-i", cwd=place) as terminal:
        start = f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D"
        typed(terminal, f"{start}; {_SAYER}; echo rea''dy\n", "ready\r\n")
        typed(terminal, "nftnsr roll\t\n", "<rollback>\r\n")
        typed(terminal, "nftnsr validate a.to\t\n", "<validate><a.toml>\r\n")
        typed(terminal, "nftnsr graph --format mer\t\n", "<graph><--format><mermaid>\r\n")


# -- the package -----------------------------------------------------------------------------


def test_package_has_them_all(made: Path, tmp_path: Path) -> None:
    need("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    data = re.compile(r"nftnsr-[^/]*\.data/data/(.*)")
    names = {found[1] for name in ZipFile(wheel).namelist() if (found := data.fullmatch(name))}
    assert names == {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()}
    assert len(names) == 4
