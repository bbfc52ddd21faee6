"""The commands that only look, as whole processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.bench.measure import in_turns, nftnsr, run
from tests.bench.table import Table, rows
from tests.bench.world import ROUTER, World, spec

_FORWARDS = ("22/tcp", "30000-30100/tcp", "8080/tcp -> 10.42.0.10:80", "5353/udp -> :53")
_DUMPS = ("link", "address", "route", "-6 route", "neighbour")


def tables(quick: bool) -> Iterator[Table]:
    by_hand = "; ".join(
        [f"ip netns exec {ROUTER} nft list ruleset", *(f"ip -j -n {ROUTER} {d}" for d in _DUMPS)]
    )
    with World():
        file = spec(_FORWARDS)
        run(*nftnsr("apply", file))
        commands = {
            "python -c pass": (sys.executable, "-c", "pass"),
            "nft list ruleset, five `ip -j` dumps": ("bash", "-ec", by_hand),
            "nftnsr --version": nftnsr("--version"),
            "nftnsr validate": nftnsr("validate", file),
            "nftnsr compile": nftnsr("compile", file),
            "nftnsr diff": nftnsr("diff", file),
        }
        for command in commands.values():
            run(*command)  # the first one writes bytecode
        subjects = {n: lambda c=c: run(*c).seconds for n, c in commands.items()}
        samples = in_turns(subjects, 5 if quick else 20)
    remark = "The article's router in sync; each a whole process."
    yield Table("diff", "ms", rows(samples, 1000), base="python -c pass", remark=remark)
