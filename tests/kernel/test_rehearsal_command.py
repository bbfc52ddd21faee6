"""`nftnsr rehearse` as a person or a program meets it: its status, its files, its terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from .conftest import ARTICLE
from .test_cli import DIFFERS, SAME, TROUBLE, _chunk, command, environment, nftnsr

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[1] / "unit/junit.xsd")

CLOSED = ARTICLE.replace("forward ", 'sysctls = { "net.ipv4.conf.ens3.forwarding" = 0 }\nforward ')
REFUSED = ARTICLE.replace("forward ", 'sysctls = { "net.ipv4.no_such" = 0 }\nforward ')
INVALID = ARTICLE.replace("22/tcp", "70000/tcp")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "article.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results/junit.xml"


def suites(file: Path) -> dict[str, ElementTree.Element]:
    SCHEMA.validate(file)
    # Nothing else: the file was written whole, then renamed.
    assert list(file.parent.iterdir()) == [file]
    return {str(suite.get("name")): suite for suite in ElementTree.parse(file).getroot()}


@pytest.mark.parametrize(("text", "status"), [(ARTICLE, SAME), (CLOSED, DIFFERS)])
def test_junit_file_holds_every_probe(spec: Path, file: Path, text: str, status: int) -> None:
    spec.write_text(text)
    done = nftnsr("rehearse", "--json", "--junit", file, spec)
    assert done.status == status
    results = done.document["results"]
    assert isinstance(results, list)
    (suite,) = suites(file).values()
    tried = [case for case in suite.iter("testcase") if case.find("skipped") is None]
    cases = [(case.get("name"), case.find("failure") is None) for case in tried]
    assert cases == [(r["name"], r["ok"]) for r in results]
    assert suite.get("failures") == str(sum(not r["ok"] for r in results))
    assert (suite.get("failures") != "0") == (status == DIFFERS)


@pytest.mark.parametrize(
    ("text", "routers", "error"),
    [
        (REFUSED, ["ens3"], "this kernel has no such setting"),
        (INVALID, [], "port 70000 is not in 1-65535"),
    ],
)
def test_junit_file_tells_what_ended_a_rehearsal(
    spec: Path, file: Path, text: str, routers: list[str], error: str
) -> None:
    spec.write_text(text)
    assert nftnsr("rehearse", "--junit", file, spec).status == TROUBLE
    found = suites(file)
    assert list(found) == [*routers, "rehearsal"]
    assert error in "".join(found["rehearsal"].itertext())


def test_interrupted_rehearsal_leaves_a_junit_file(spec: Path, file: Path) -> None:
    spec.write_text(ARTICLE)
    arguments = command("rehearse", "--junit", file, spec)
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "nftnsr: interrupted\n")
    found = suites(file)
    assert len(list(found["ens3"].iter("testcase"))) >= 1
    assert "interrupted" in "".join(found["rehearsal"].itertext())


def test_junit_file_that_cannot_be_written_is_trouble(spec: Path, tmp_path: Path) -> None:
    spec.write_text(ARTICLE)
    nowhere = tmp_path / "nowhere/junit.xml"
    done = nftnsr("rehearse", "--junit", nowhere, spec)
    assert done.status == TROUBLE and "probes passed" in done.out
    assert f"cannot write the results to {nowhere}: No such file or directory" in done.err
    spec.write_text(INVALID)
    done = nftnsr("rehearse", "--junit", nowhere, spec)
    assert done.status == TROUBLE
    assert "cannot write" in done.err and "70000" in done.err


def on_terminal(spec: Path, stop: signal.Signals | None = None, **more: str) -> tuple[int, str]:
    """The status of a rehearsal at a terminal of 80 columns, and all that it wrote there."""
    terminal, end = pty.openpty()
    own = environment(COLUMNS="80", **({"TERM": "xterm-256color"} | more))
    process = subprocess.Popen(command("rehearse", spec), stdout=end, stderr=end, env=own)
    os.close(end)
    shown = b""
    while chunk := _chunk(terminal):
        shown += chunk
        if stop is not None and b"applying" in shown:
            process.send_signal(stop)
            stop = None
    os.close(terminal)
    return process.wait(), shown.decode()


def rows(shown: str) -> dict[str, str]:
    """The rows of the table as it was drawn last."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n")
    table = re.split(" untried |probes passed", plain)[0].splitlines()[:-1]
    assert all(len(line) <= 80 for line in table)
    last = plain.rpartition("router ens3")[2]
    found = re.findall(r"^ +(\w+) .* ━+ +(\d+/\d+(?: +\d+ failed)?) *$", last, re.M)
    return {kind: re.sub(" +", " ", count) for kind, count in found}


def cursor(shown: str) -> str:
    """The last that was said of the cursor: `l` hides it, `h` shows it."""
    return re.findall(r"\x1b\[\?25([lh])", shown)[-1]


def test_terminal_shows_a_table_that_fills(spec: Path) -> None:
    spec.write_text(ARTICLE)
    status, shown = on_terminal(spec)
    assert (status, cursor(shown)) == (SAME, "h")
    assert "building the provider" in shown and "applying the spec" in shown
    final = rows(shown)
    assert list(final) == [
        "ndp",
        "out",
        "in",
        "hairpin",
        "closed",
        "blocked",
        "transit",
        "size",
        "leak",
    ]
    total = sum(int(count.partition("/")[0]) for count in final.values())
    assert f"{total} of {total} probes passed" in shown


def test_terminal_shows_what_failed_below_the_table(spec: Path) -> None:
    spec.write_text(CLOSED)
    status, shown = on_terminal(spec, NO_COLOR="1")
    assert (status, cursor(shown)) == (DIFFERS, "h")
    assert rows(shown)["in"] == "5/6 1 failed"
    assert "expected: 192.168.158.2:22 sees" in shown and "no answer in 3 s" in shown
    assert not re.search(r"\x1b\[(?:\d+;)*3\dm", shown)


@pytest.mark.parametrize(("stop", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, TROUBLE)])
def test_interrupted_table_leaves_a_clean_terminal(
    spec: Path, stop: signal.Signals, ends: int
) -> None:
    spec.write_text(ARTICLE)
    status, shown = on_terminal(spec, stop)
    assert (status, cursor(shown)) == (ends, "h")
    assert re.search(r"\n(\x1b\[\?25h)?nftnsr: interrupted(?: by SIGTERM)?\r\n$", shown)


def test_dumb_terminal_gets_lines(spec: Path) -> None:
    spec.write_text(ARTICLE)
    status, shown = on_terminal(spec, TERM="dumb")
    assert status == SAME
    assert "hairpin  1.2.3.4:22/tcp from host\r\n" in shown and "\x1b[?25" not in shown


def test_too_few_open_files_are_told_before_anything_is_tried(spec: Path) -> None:
    spec.write_text(ARTICLE)
    few = ("setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=300:300")
    done = nftnsr("rehearse", spec, prefix=few)
    assert (done.status, done.out) == (TROUBLE, "")
    assert "a process may have 300 open files" in done.err and "ulimit" in done.err
