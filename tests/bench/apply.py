"""Applies of a few and of many forwards, as whole processes: time and memory."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.measure import Finished, nftnsr, progress, run
from tests.bench.rivals import iptables_restore, iptables_rule
from tests.bench.table import Table, rows
from tests.bench.world import World, compiled, forward, in_namespace, sh, spec

_FIRST = 1024
_BY_HAND = 1000
"""Up to so many forwards one call of iptables for each is tried."""


def tables(quick: bool) -> Iterator[Table]:
    sizes = ((1, 3), (100, 2), (5000, 2)) if quick else ((1, 7), (1000, 5), (60000, 3))
    for size, rounds in sizes:
        yield from _size(size, rounds)


def _size(size: int, rounds: int) -> Iterator[Table]:
    peaks: dict[str, list[float]] = {}
    ports = range(_FIRST, _FIRST + size)
    ruleset = compiled(spec(map(forward, ports)))
    ours: dict[str, list[float]] = {}
    rivals: dict[str, list[float]] = {}
    for number in range(rounds):
        progress(f"apply of {size}, round {number + 1} of {rounds}")
        for name, finished in _ours(ports):
            ours.setdefault(name, []).append(finished.seconds)
            peaks.setdefault(name, []).append(finished.peak / 2**20)
        for name, finished in _rivals(ports, ruleset):
            rivals.setdefault(name, []).append(finished.seconds)
            peaks.setdefault(name, []).append(finished.peak / 2**20)
    plural = f"{size} forward{'s'[: size > 1]}"
    base = "nft -f of the compiled ruleset"
    yield Table(f"apply of {plural}", "ms", rows({**rivals, **ours}, 1000), base=base)
    most = rows({n: peaks[n] for n in (base, *ours)})
    remark = "Linux counts what a command was forked from, too: none is below the benchmark's own."
    yield Table(f"peak memory of {plural}", "MiB", most, remark=remark)


def _ours(ports: range) -> Iterator[tuple[str, Finished]]:
    with World():
        file = spec(map(forward, ports))
        yield "nftnsr validate", run(*nftnsr("validate", file))
        yield "nftnsr compile", run(*nftnsr("compile", file))
        yield "nftnsr compile --explain", run(*nftnsr("compile", "--explain", file))
        yield "nftnsr apply, the first", run(*nftnsr("apply", file))
        yield "nftnsr apply, the same again", run(*nftnsr("apply", file))
        spec(map(forward, (22, *ports)))
        yield "nftnsr apply, one forward more", run(*nftnsr("apply", file))


def _rivals(ports: range, ruleset: str) -> Iterator[tuple[str, Finished]]:
    name = "rival"
    load = in_namespace(name, "nft", "-f", "-")
    restore = in_namespace(name, "iptables-restore")
    sh(f"ip netns add {name}")
    try:
        yield "nft -f of the compiled ruleset", run(*load, text=ruleset)
        run(*load, text="flush ruleset\n")
        yield "iptables-restore", run(*restore, text=iptables_restore(ports))
        run(*load, text="flush ruleset\n")
        if len(ports) <= _BY_HAND:
            script = "".join(
                f"ip netns exec {name} iptables -t nat {iptables_rule(port)}\n" for port in ports
            )
            yield "ip netns exec iptables -A, for each", run("bash", "-e", text=script)
    finally:
        sh(f"ip netns del {name}")
