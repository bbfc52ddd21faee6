"""Confirm or revert: whatever dies, an apply that nobody confirms is undone in time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nftnsr.transaction import journal

from .conftest import ARTICLE, Segment, assert_same, everything

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE)
    return str(path)


@pytest.fixture(autouse=True)
def no_watchdog_left(box: None) -> Iterator[None]:
    yield
    journal.discard()
    until(lambda: not watchdogs(), 3)


def nftnsr(
    *words: str, check: int | None = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "nftnsr", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert "Traceback" not in done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def watchdogs() -> list[int]:
    """The processes of this test's namespace that run `nftnsr revert`."""
    mine = Path("/proc/thread-self/ns/net").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"revert" in words and (process / "ns/net").readlink() == mine:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def until(holds, seconds: float) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(held)


def test_unconfirmed_apply_is_undone(segment: Segment, spec: str) -> None:
    before = everything()
    done = nftnsr("apply", "--confirm", "1500ms", spec)
    assert "unless you run `nftnsr confirm`" in done.stderr
    assert "+ namespace ens3" in done.stdout
    assert until(lambda: journal.unfinished() is None, 30)
    assert_same(everything(), before)
    assert nftnsr("confirm", check=2).stderr.startswith("nftnsr: nothing waits")


def test_confirmed_apply_stays_and_its_watchdog_ends(segment: Segment, spec: str) -> None:
    nftnsr("apply", "--confirm", "20s", spec)
    assert watchdogs()
    nftnsr("confirm")
    assert until(lambda: not watchdogs(), 3)
    assert nftnsr("diff", spec).stdout == ""


def test_nothing_else_is_begun_while_an_apply_waits(segment: Segment, spec: str) -> None:
    nftnsr("apply", "--confirm", "20s", spec)
    for words in (("apply", spec), ("down", "ens3"), ("recover",)):
        refused = nftnsr(*words, check=2).stderr
        assert "waits to be confirmed" in refused
        assert "nftnsr confirm" in refused
    assert "unless `nftnsr confirm`" in nftnsr("diff", spec).stderr
    assert "unless `nftnsr confirm`" in nftnsr("journal").stdout


def test_rollback_undoes_an_unconfirmed_apply_at_once(segment: Segment, spec: str) -> None:
    before = everything()
    nftnsr("apply", "--confirm", "20s", spec)
    nftnsr("rollback")
    assert_same(everything(), before)
    assert until(lambda: not watchdogs(), 3)


def test_killed_session_does_not_take_the_watchdog_with_it(segment: Segment, spec: str) -> None:
    """All of the session's processes get SIGHUP and SIGKILL, as when ssh and its shell die."""
    before = everything()
    command = f"{sys.executable} -m nftnsr apply --confirm 3s {spec} && sleep 60"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shell = subprocess.Popen(["bash", "-c", command], start_new_session=True, env=env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    assert until(lambda: (left := journal.unfinished()) is not None and left.applied, 10)
    for number in (signal.SIGHUP, signal.SIGKILL):
        os.killpg(shell.pid, number)
    shell.wait()
    assert watchdogs()
    assert until(lambda: journal.unfinished() is None, 10)
    assert_same(everything(), before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_apply_that_dies_or_hangs_in_the_middle_is_undone(
    segment: Segment, spec: str, number: int
) -> None:
    """The check runs after every step and before the end: the apply is stopped there."""
    before = everything()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nftnsr", "apply", "--confirm", "2s"]
    command += ["--check", "sleep 30", spec]
    apply = subprocess.Popen(command, env=env, start_new_session=True, stdout=subprocess.DEVNULL)
    assert until(lambda: len(children(apply.pid)) > 1, 10), "watchdog and check"
    left = journal.unfinished()
    assert left is not None
    assert not left.applied
    apply.send_signal(number)
    assert until(lambda: journal.unfinished() is None, 30)
    assert_same(everything(), before)
    apply.kill()
    apply.wait()


def children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def test_failed_check_undoes(segment: Segment, spec: str) -> None:
    before = everything()
    done = nftnsr("apply", "--check", "ip netns exec ens3 false", spec, check=2)
    assert "the check `ip netns exec ens3 false` failed: exit status 1" in done.stderr
    assert "everything is as it was before" in done.stderr
    assert_same(everything(), before)
    nftnsr("apply", "--check", "ip netns exec ens3 true", spec)
    assert nftnsr("diff", spec).stdout == ""


def test_connection_out_proves_an_apply(segment: Segment, spec: str) -> None:
    before = everything()
    listener = segment.provider.run(socket.create_server, ("1.2.3.1", 7777))
    with listener:
        nftnsr("apply", "--confirm-by-connect", "1.2.3.1:7777", spec)
    nftnsr("down", "ens3")
    assert_same(everything(), before)
    done = nftnsr("apply", "--confirm-by-connect", "1.2.3.1:7777", spec, check=2)
    assert "no connection to 1.2.3.1 port 7777: Connection refused" in done.stderr
    assert_same(everything(), before)


def test_rollback_undoes_the_last_commit_and_then_redoes_it(segment: Segment, spec: str) -> None:
    before = everything()
    assert "changed nothing since the last boot" in nftnsr("rollback", check=2).stderr
    nftnsr("apply", spec)
    applied = nftnsr("diff", spec)
    nftnsr("rollback")
    assert_same(everything(), before)
    nftnsr("rollback")
    assert nftnsr("diff", spec).stdout == applied.stdout == ""


SESSION = "203.0.113.9 50000 {server} {port}"


@pytest.mark.parametrize(
    ("server", "port", "change", "refused"),
    [
        ("1.2.3.4", 22, ("", ""), False),
        ("1.2.3.4", 2222, ("", ""), True),
        ("1.2.3.4", 22, ('"22/tcp"', '"22/udp"'), True),
        ("1.2.3.4", 22, ('"22/tcp"', '"20-30/tcp"'), False),
        ("1.2.3.4", 22, ('"22/tcp"', '"2222/tcp -> :22"'), False),
        ("1.2.3.4", 22, ('"22/tcp"', '"22/tcp -> 192.168.158.9"'), True),
        ("1.2.3.4", 22, ('"22/tcp"', '{ port = 22, from = ["203.0.113.0/24"] }'), False),
        ("1.2.3.4", 22, ('"22/tcp"', '{ port = 22, from = ["203.0.114.0/24"] }'), True),
        ("1.2.3.5", 22, ('"22/tcp"', ""), True),
        ("127.0.0.1", 22, ('"22/tcp"', ""), False),
        ("10.1.1.1", 22, ('"22/tcp"', ""), False),
    ],
)
def test_ssh_session_that_could_not_be_opened_again_is_not_risked(
    segment: Segment, tmp_path: Path, server: str, port: int, change: tuple[str, str], refused: bool
) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(ARTICLE.replace(*change) if change[0] else ARTICLE)
    before = everything()
    session = SESSION.format(server=server, port=port)
    done = nftnsr("apply", str(path), check=2 if refused else 0, SSH_CONNECTION=session)
    if refused:
        assert f'add "{port}/tcp" to `forward`' in done.stderr
        assert_same(everything(), before)
        nftnsr("apply", "--lockout-ok", str(path), SSH_CONNECTION=session)


@pytest.mark.parametrize(
    ("inbound", "port", "refused"), [("open", 22, False), ("forwards", 22, False),
                                     ("forwards", 23, True)],
)  # fmt: skip
def test_ssh_over_ipv6_goes_on_where_it_stays_open(
    segment: Segment, tmp_path: Path, inbound: str, port: int, refused: bool
) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(ARTICLE.replace("forward ", f'inbound_ipv6 = "{inbound}"\nforward '))
    session = f"2001:db8::9 50000 2123:2134:abc:ddd::2 {port}"
    nftnsr("apply", str(path), check=2 if refused else 0, SSH_CONNECTION=session)


def test_signal_is_obeyed_while_a_check_runs_and_ends_all_of_it(
    segment: Segment, spec: str, tmp_path: Path
) -> None:
    before = everything()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    sleeper = tmp_path / "sleeper"
    check = f"sleep 50 & echo $! > {sleeper}.new; mv {sleeper}.new {sleeper}; wait"
    command = [sys.executable, "-m", "nftnsr", "apply", "--check", check, spec]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as apply:
        assert until(sleeper.exists, 10)
        apply.send_signal(signal.SIGTERM)
        _, err = apply.communicate(timeout=30)
    assert err == "nftnsr: interrupted by SIGTERM\neverything is as it was before\n"
    assert apply.returncode == 2
    assert_same(everything(), before)
    assert until(lambda: not Path(f"/proc/{sleeper.read_text().strip()}").exists(), 10)


def test_diff_of_what_was_cut_off_is_a_difference(segment: Segment, spec: str) -> None:
    """All is as the spec says, and the next changing command undoes it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nftnsr", "apply", "--check", "sleep 30", spec]
    apply = subprocess.Popen(command, env=env, start_new_session=True, stdout=subprocess.DEVNULL)
    assert until(lambda: children(apply.pid), 10)
    assert f"pid {apply.pid} is changing this machine" in nftnsr("diff", spec).stderr
    os.killpg(apply.pid, signal.SIGKILL)
    apply.wait()
    done = nftnsr("diff", spec, check=1)
    assert done.stdout == ""
    assert "ended in the middle; `nftnsr recover` undoes it" in done.stderr
    nftnsr("recover")
