"""The outcome of a rehearsal, for people and for programs."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from attrs import asdict

from nftnsr.rehearsal.outcome import Rehearsal, Result

_OK, _FAILED, _UNTRIED = "ok", "FAILED", "untried"
_COLOURS = {_OK: "\x1b[32m", _FAILED: "\x1b[31m", _UNTRIED: "\x1b[33m"}
_PLAIN = "\x1b[0m"


def rehearsal_text(rehearsal: Rehearsal, *, failed: bool = True, colour: bool = False) -> str:
    """What failed for each router, unless that was told, what could not be tried, and a summary."""
    blocks = []
    for router, group in groupby(rehearsal.failed if failed else (), lambda r: r.router):
        lines = (result_text(r, colour=colour) for r in group)
        blocks.append("\n".join([f"{router}:", *lines, ""]))
    untried = [
        f"  {_word(_UNTRIED, colour=colour)} {each.router}: {each.name}: {each.reason}"
        for each in rehearsal.untried
    ]
    blocks += ["\n".join([*untried, ""])] if untried else []
    return "\n".join([*blocks, summary(rehearsal)])


def result_text(result: Result, *, colour: bool = False) -> str:
    """One probe; a failed one says what was expected and what happened."""
    word = _word(_OK if result.ok else _FAILED, colour=colour)
    line = f"  {word} {result.milliseconds:5.0f} ms  {result.kind:<8} {result.name}"
    if result.ok:
        return f"{line}: {result.seen}" if result.kind == "flow" else line
    indent = " " * 20
    return "\n".join(
        [line, f"{indent}expected: {result.expected}", f"{indent}seen:     {result.seen}"]
    )


def summary(rehearsal: Rehearsal) -> str:
    """The last line: how many of what passed, in how much time."""
    passed = len(rehearsal.results) - len(rehearsal.failed)
    words = [f"{passed} of {len(rehearsal.results)} probes passed"]
    if rehearsal.failed:
        kinds = Counter(r.kind for r in rehearsal.failed)
        failed = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        words.append(f"{len(rehearsal.failed)} failed ({failed})")
    if rehearsal.untried:
        words.append(f"{len(rehearsal.untried)} untried")
    seconds = rehearsal.seconds
    times = [f"world {seconds.build:.1f} s", f"apply {seconds.apply:.1f} s"]
    times += [] if seconds.change is None else [f"change {seconds.change:.1f} s"]
    times += [f"probes {seconds.probe:.1f} s"]
    return f"{', '.join(words)} ({', '.join(times)})\n"


def rehearsal_json(rehearsal: Rehearsal) -> dict[str, object]:
    """One object for each probe, as it is, and the time that everything took."""
    return {
        "ok": rehearsal.ok,
        "results": [asdict(r) for r in rehearsal.results],
        "untried": [asdict(u) for u in rehearsal.untried],
        "seconds": asdict(rehearsal.seconds),
    }


def _word(word: str, *, colour: bool) -> str:
    padded = f"{word:<7}"
    return f"{_COLOURS[word]}{padded}{_PLAIN}" if colour else padded
