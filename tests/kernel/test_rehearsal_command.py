"""`nftnsr rehearse` as a person or a program meets it: its status, its files, its terminal."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from .conftest import ARTICLE
from .test_cli import DIFFERS, SAME, TROUBLE, command, environment, nftnsr

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
    cases = [(c.get("name"), c.find("failure") is None) for c in suite.iter("testcase")]
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


def test_too_few_open_files_are_told_before_anything_is_tried(spec: Path) -> None:
    spec.write_text(ARTICLE)
    few = ("setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=300:300")
    done = nftnsr("rehearse", spec, prefix=few)
    assert (done.status, done.out) == (TROUBLE, "")
    assert "a process may have 300 open files" in done.err and "ulimit" in done.err
