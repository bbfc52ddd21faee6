"""A rehearsal as JUnit XML is valid by the schemas in use, and counts what it holds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from attrs import evolve

from nftnsr.rehearsal.outcome import Result, Untried
from nftnsr.report.junit import Ran, junit_xml

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))

GOOD = Result("ens3", "in", "192.0.2.1:22/tcp from internet", "one", "one", True, 1.25)
BAD = Result("ens3", "hairpin", "192.0.2.1:22/tcp from host", "<one> & more", "refused", False, 3.5)
SKIPPED = Untried("ens3", "9/sctp", "a rehearsal speaks no SCTP")
OTHER = Result("wan", "out", "ping 192.0.2.9 from host", "a reply", "a reply", True, 2000.0)
RAN = Ran(
    ("ens3", "wan", "idle"),
    (GOOD, BAD, OTHER),
    (SKIPPED,),
    None,
    2.5,
    datetime(2026, 11, 25, 13, 30),
    "vps",
)


def suites(ran: Ran) -> dict[str, ElementTree.Element]:
    text = junit_xml(ran)
    SCHEMA.validate(text)
    return {str(suite.get("name")): suite for suite in ElementTree.fromstring(text)}


def counts(suite: ElementTree.Element) -> list[str | None]:
    return [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]


def test_each_router_is_a_suite_that_counts_its_cases() -> None:
    found = suites(RAN)
    assert list(found) == ["ens3", "wan", "idle"]
    assert counts(found["ens3"]) == ["3", "1", "0", "1", "0.005"]
    assert counts(found["wan"]) == ["1", "0", "0", "0", "2.000"]
    assert counts(found["idle"]) == ["0", "0", "0", "0", "0.000"]
    assert found["ens3"].get("timestamp") == "2026-11-25T13:30:00"


def test_failed_probe_says_what_was_expected_and_seen() -> None:
    passed, failed, skipped = suites(RAN)["ens3"].iter("testcase")
    assert list(passed) == [] and passed.get("time") == "0.001"
    (failure,) = failed
    assert failure.get("message") == "expected <one> & more; seen: refused"
    assert failure.text == "expected: <one> & more\nseen:     refused"
    assert failed.get("classname") == "ens3.hairpin"
    assert skipped[0].tag == "skipped" and skipped[0].get("message") == SKIPPED.reason


@pytest.mark.parametrize("routers", [("ens3",), ()])
def test_error_is_a_case_beside_what_was_tried_before_it(routers: tuple[str, ...]) -> None:
    found = suites(evolve(RAN, routers=routers, error="no such thing\n  hint: buy one"))
    assert list(found) == [*routers, "rehearsal"]
    (case,) = found["rehearsal"].iter("testcase")
    assert counts(found["rehearsal"]) == ["1", "0", "1", "0", "2.500"]
    assert case[0].get("message") == "no such thing"
    assert case[0].text == "no such thing\n  hint: buy one"


def test_what_xml_cannot_hold_is_spelt_out() -> None:
    odd = evolve(BAD, name="web\x07\ud800: é", seen="\x1b[31m")
    (case,) = suites(evolve(RAN, routers=("ens3",), results=(odd,), untried=()))["ens3"].iter(
        "testcase"
    )
    assert case.get("name") == "web\\x07\\ud800: é"
    assert case[0].get("message") == "expected <one> & more; seen: \\x1b[31m"
