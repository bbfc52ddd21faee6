"""How soon a watch tells drift and heals it, and what it takes while nothing happens."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.measure import in_turns, nftnsr, run
from tests.bench.table import Row, Table, rows
from tests.bench.world import PUBLIC, ROUTER, World, forward, in_namespace, spec

_CHANGES = {
    "nft flush ruleset": in_namespace(ROUTER, "nft", "flush", "ruleset"),
    "ip address del": in_namespace(ROUTER, "ip", "address", "del", f"{PUBLIC}/24", "dev", "ens3"),
    "sysctl -w proxy_delay": in_namespace(
        ROUTER, "sysctl", "-qw", "net.ipv6.neigh.ens3.proxy_delay=80"
    ),
}
_REST_SECONDS = 10.0


class _Watch:
    """A watch that heals without pause, and without end; what it tells is read line by line."""

    def __init__(self, file: str) -> None:
        command = nftnsr("watch", "--json", "--heal", "--limit", "1000000/1ms", file)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def until(self, event: str) -> float:
        """When the next event of this name was read."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            told = json.loads(line)["event"]
            if told in (event, "heal-failed"):
                if told == event:
                    return time.perf_counter()
                break
        raise RuntimeError(f"the watch told no {event}: {line}")

    def processor(self) -> float:
        """Seconds for which it has had a processor."""
        text = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def memory(self) -> float:
        """MiB that are resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def __enter__(self) -> Self:
        self.until("in-sync")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait()


def tables(quick: bool) -> Iterator[Table]:
    sizes = ((1, 5), (1000, 3)) if quick else ((1, 30), (10000, 7))
    for size, rounds in sizes:
        plural = f"{size} forward{'s'[: size > 1]}"
        with World():
            file = spec(forward(port) for port in range(1024, 1024 + size))
            run(*nftnsr("apply", file))
            with _Watch(file) as watch:
                yield _times(watch, plural, rounds)
                yield _rest(watch, plural)


def _times(watch: _Watch, plural: str, rounds: int) -> Table:
    healed: dict[str, list[float]] = {}

    def measure(name: str) -> float:
        time.sleep(0.5)  # it has looked at its own heal, too
        start = time.perf_counter()
        subprocess.run(_CHANGES[name], check=True)
        told = watch.until("drift") - start
        healed.setdefault(f"{name}: healed", []).append(watch.until("healed") - start)
        return told

    told = in_turns({f"{n}: told": lambda n=n: measure(n) for n in _CHANGES}, rounds)
    remark = "From the start of the command to the line that was read; healed is verified, too."
    return Table(f"watch, {plural}", "ms", rows({**told, **healed}, 1000), remark=remark)


def _rest(watch: _Watch, plural: str) -> Table:
    time.sleep(2)
    before = watch.processor()
    time.sleep(_REST_SECONDS)
    used = (watch.processor() - before) * 1000
    found = (
        Row(f"processor time in {_REST_SECONDS:.0f} s, ms", (used,)),
        Row("memory, MiB", (watch.memory(),)),
    )
    return Table(f"watch, {plural}, at rest", "", found)
