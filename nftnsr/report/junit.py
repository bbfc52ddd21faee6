"""The outcome of a rehearsal as JUnit XML, for what shows the tests of a continuous integration.

There is no one schema of it: this is what is valid by both those in use, Ant's (which wants every
attribute here, an empty system-out and system-err, and no time zone) and Jenkins's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from attrs import frozen

from nftnsr.rehearsal.outcome import Result, Untried

_ALL = "rehearsal"
"""The suite of what is of no one router: the error that ended it all."""


@frozen
class Ran:
    """A rehearsal as far as it got, with the error that ended it, if one did."""

    routers: tuple[str, ...]
    results: tuple[Result, ...]
    untried: tuple[Untried, ...]
    error: str | None
    seconds: float
    began: datetime
    host: str


def junit_xml(ran: Ran) -> str:
    """A suite for each router: a probe that failed is a failure, what is untried is skipped."""
    root = Element("testsuites")
    for router in ran.routers:
        cases = [_probe(r) for r in ran.results if r.router == router]
        cases += [_skipped(u) for u in ran.untried if u.router == router]
        _suite(root, router, ran, cases, _seconds(ran.results, router))
    if ran.error is not None:
        _suite(root, _ALL, ran, [_error(ran.error, ran.seconds)], ran.seconds)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: Element, name: str, ran: Ran, cases: Sequence[Element], seconds: float) -> None:
    suite = SubElement(
        root, "testsuite", id=str(len(root)), package="nftnsr", name=name, hostname=ran.host,
        timestamp=ran.began.strftime("%Y-%m-%dT%H:%M:%S"), time=_time(seconds),
        tests=str(len(cases)),
    )  # fmt: skip
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    SubElement(suite, "properties")
    suite.extend(cases)
    SubElement(suite, "system-out")
    SubElement(suite, "system-err")


def _probe(result: Result) -> Element:
    case = _case(result.router, result.kind, result.name, result.milliseconds / 1000)
    if not result.ok:
        seen = f"expected: {result.expected}\nseen:     {result.seen}"
        message = f"expected {result.expected}; seen: {result.seen}"
        SubElement(case, "failure", type=result.kind, message=_legal(message)).text = _legal(seen)
    return case


def _skipped(untried: Untried) -> Element:
    case = _case(untried.router, "untried", untried.name, 0.0)
    SubElement(case, "skipped", message=_legal(untried.reason))
    return case


def _error(error: str, seconds: float) -> Element:
    case = _case(_ALL, "error", _ALL, seconds)
    first = error.partition("\n")[0]
    SubElement(case, "error", type="error", message=_legal(first)).text = _legal(error)
    return case


def _case(router: str, kind: str, name: str, seconds: float) -> Element:
    # What comes before the last dot counts as a package: pages are grouped by it.
    return Element("testcase", name=_legal(name), classname=f"{router}.{kind}", time=_time(seconds))


def _seconds(results: Iterable[Result], router: str) -> float:
    """What the probes of a router took, one after the other; in truth many go on at once."""
    return sum(r.milliseconds for r in results if r.router == router) / 1000


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _legal(text: str) -> str:
    """Text that XML can hold: no control characters (XML 1.0, section 2.2), not even escaped."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
