"""Benchmarks in namespaces of their own: nothing they do can reach the machine's network.

The process starts itself again in a new network, mount and process-id namespace, over whose /run
and /var/lib/nftnsr lie empty file systems. All of it, and every process, ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_OUTSIDE = "NFTNSR_BENCH_OUTSIDE"
_UNSHARE = (
    *("unshare", "--net", "--mount", "--propagation", "private"),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)


def inside() -> bool:
    """Whether this process is the first of a box, in another network than its first self."""
    outside = os.environ.get(_OUTSIDE)
    return outside is not None and outside != _network() and os.getpid() == 1


def run_inside(arguments: list[str]) -> int:
    """Run `python -m tests.bench ARGUMENTS` in a new box; returns its exit status."""
    # SIGTERM must end the box as SIGINT does: its first process ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command = [*_UNSHARE, sys.executable, "-m", "tests.bench", *arguments]
    with subprocess.Popen(command, env={**os.environ, _OUTSIDE: _network()}) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal has told the box, too; it still writes what it has.
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            return 128 + signal.SIGINT
        finally:
            process.kill()


def furnish() -> None:
    """Cover what nftnsr and ip-netns(8) write to, and keep bytecode there."""
    if not inside():
        raise RuntimeError("this would change the machine's own network")
    state = Path("/var/lib/nftnsr")
    for path in (Path("/run"), state if state.is_dir() else state.parent):
        # A missing mount point is not made: that would stay.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "bench", path], check=True)
    state.mkdir(mode=0o700, exist_ok=True)
    for name in ("netns", "nftnsr", "bench"):
        Path("/run", name).mkdir()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # What is measured is an installed program, which has its bytecode.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = "/run/bench/bytecode"


def _network() -> str:
    return str(Path("/proc/self/ns/net").readlink())
