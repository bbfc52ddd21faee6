"""Commands and functions, timed; rivals take turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from tempfile import TemporaryFile

from attrs import frozen


@frozen
class Finished:
    """What one command took: wall clock in seconds, and its peak of memory in bytes."""

    seconds: float
    peak: int


def run(*command: str, text: str | None = None) -> Finished:
    """Run a command, with `text` on its stdin, to its end; a failure is an error."""
    with TemporaryFile("w+") as given, TemporaryFile("w+") as said:
        given.write(text or "")
        given.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            what = " ".join(command)[:200]
            raise RuntimeError(f"{what}: exit status {process.returncode}\n{said.read()}")
    return Finished(seconds, usage.ru_maxrss * 1024)


def capture(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def nftnsr(*arguments: str) -> tuple[str, ...]:
    """The command that runs nftnsr in a process of its own."""
    return (sys.executable, "-m", "nftnsr", *arguments)


def timed(function: Callable[[], object]) -> float:
    """How many seconds a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(subjects: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """`rounds` samples of each subject, taken A B C A B C ..."""
    samples: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        for name, subject in subjects.items():
            progress(f"{name}, round {number + 1} of {rounds}")
            samples[name].append(subject())
    progress("")
    return samples


def progress(text: str) -> None:
    """Tell a person at a terminal what runs just now."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
