"""The process that undoes an apply which nobody confirms.

It is armed before the first step and outlives the apply, its shell and its ssh session: where
systemd runs it is a transient timer (a session's scope may be killed with all that is in it, a
timer's service is not), elsewhere a process in a session of its own. Either runs `revert`.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import syslog
import time
from contextlib import suppress
from pathlib import Path

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.transaction import journal, run
from nftnsr.transaction.journal import Entry
from nftnsr.transaction.lock import Busy, lock

_SYSTEMD = Path("/run/systemd/system")
_START_SECONDS = 30.0
_PATIENCE = 5.0
_LOOK_SECONDS = 0.25


def arm(entry: Entry) -> None:
    """See to it that `revert` runs at `entry.confirm_by`, whatever becomes of this process."""
    if _SYSTEMD.is_dir() and shutil.which("systemd-run"):
        _arm_timer(entry)
    else:
        _arm_process(entry)


def revert(id: str, ready: int | None = None) -> int:
    """Undo the transaction `id` when its time is over, unless it has ended; the exit status.

    A byte is written to the descriptor `ready` once everything is in memory that will be needed.
    """
    from nftnsr.transaction.transact import recover  # which imports this module

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-1000")
    if ready is not None:
        os.write(ready, b"!")
        os.close(ready)
    while _outlives_its_time(id):
        try:
            with lock(_PATIENCE), Machine() as machine:
                undone = recover(machine)
        except Busy:
            # The apply itself hangs. Asked to stop it undoes; killed, it leaves that to us.
            _end(id)
        except Exception as error:  # nobody reads its output: the log is all that can be told
            syslog.syslog(syslog.LOG_ERR, f"nftnsr: the unconfirmed apply stays: {error}")
            return 3
        else:
            if undone is not None:
                words = f"nftnsr: nobody confirmed the {undone.command}; it is undone"
                syslog.syslog(syslog.LOG_WARNING, words)
    return 0


def _outlives_its_time(id: str) -> bool:
    """Wait until the transaction ends (False) or its time to be confirmed does (True)."""
    left = journal.unfinished()
    if left is None or left.entry.id != id:
        return False
    mine = journal.identity()
    # The journal of a large router is large: it is read once, and then only looked at.
    while (seconds := left.seconds_left) > 0:
        if journal.identity() != mine:
            return False
        time.sleep(min(seconds, _LOOK_SECONDS))
    return journal.identity() == mine


def _arm_timer(entry: Entry) -> None:
    assert entry.confirm_by is not None
    seconds = max(0.0, entry.confirm_by - run.clock())
    command = [
        "systemd-run", "--quiet", "--collect", f"--unit=nftnsr-revert-{entry.id}",
        f"--on-active={seconds:.1f}s", "--timer-property=AccuracySec=100ms",
        f"--setenv=PYTHONPATH={_package_root()}", *_command(entry),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KernelError(f"cannot arm the watchdog: systemd-run: {done.stderr.strip()}")


def _arm_process(entry: Entry) -> None:
    ready, armed = os.pipe()
    try:
        # A fresh process, not a fork of this one with its threads; the lock is not inherited.
        subprocess.Popen(
            [*_command(entry), "--ready", str(armed)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", env={**os.environ, "PYTHONPATH": _package_root()}, pass_fds=[armed],
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(armed)
    try:
        answered = select.select([ready], [], [], _START_SECONDS)[0] and os.read(ready, 1)
    finally:
        os.close(ready)
    if answered != b"!":
        raise KernelError("cannot arm the watchdog: its process did not start")


def _command(entry: Entry) -> list[str]:
    return [sys.executable, "-m", "nftnsr", "revert", entry.id]


def _package_root() -> str:
    """Where this very nftnsr can be imported from, installed or not."""
    return str(Path(__file__).parents[2])


def _end(id: str) -> None:
    left = journal.unfinished()
    if left is None or left.entry.id != id:
        return
    with suppress(OSError):
        descriptor = os.pidfd_open(left.entry.pid)
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(descriptor, number)
                if select.select([descriptor], [], [], 2 * _PATIENCE)[0]:
                    return
        finally:
            os.close(descriptor)
