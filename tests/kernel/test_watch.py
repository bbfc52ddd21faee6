"""`nftnsr watch` as a real process: what it tells, what it heals, and what it leaves alone."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nftnsr.transaction import journal
from nftnsr.transaction.lock import lock

from .conftest import ARTICLE, Segment, add_uplink, assert_same, everything, sh

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""Longer than anything takes that comes at all."""
FLUSH = "ip netns exec ens3 nft flush ruleset"


def environment(**more: str) -> dict[str, str]:
    quiet = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    return {**quiet, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "nftnsr", *map(str, words)]


def nftnsr(*words: object, status: int = 0) -> str:
    done = subprocess.run(command(*words), capture_output=True, text=True, env=environment())
    assert done.returncode == status, done.stderr
    return done.stdout


class Watch:
    """A watch that runs, and the events that it has told."""

    def __init__(self, *words: object, **more: str) -> None:
        self.process = subprocess.Popen(
            # Whoever starts the tests in the background has SIGINT ignored.
            ["env", "--default-signal=INT", *command("watch", "--json", *words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**more),
        )  # fmt: skip
        self.told: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, name: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The next event of this name; those before it are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                if self.process.poll() is not None:
                    raise AssertionError(f"it ended: {self.process.communicate()[1]}") from None
                raise AssertionError(f"no {name} after {self.names()}") from None
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == name:
                return self.told[-1]

    def more(self, seconds: float = 0.5) -> list[str]:
        """The names of the events of the next moment."""
        known = len(self.told)
        try:
            self.until("none such", seconds)
        except AssertionError:
            return self.names()[known:]
        raise AssertionError

    def names(self) -> list[str]:
        return [event["event"] for event in self.told]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Ask it to stop; returns its messages."""
        self.process.send_signal(number)
        assert self.process.wait(SECONDS) == 0
        self._reader.join()
        assert self.process.stderr is not None
        messages = self.process.stderr.read()
        assert "Traceback" not in messages
        return messages


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE)
    return path


@pytest.fixture
def applied(segment: Segment, spec: Path) -> Segment:
    nftnsr("apply", spec)
    return segment


Start = Callable[..., Watch]


@pytest.fixture
def start(spec: Path) -> Iterator[Start]:
    """Starts watches of the spec; those that still run at the end are killed."""
    running: list[Watch] = []

    def begin(*words: object, first: str = "in-sync", **more: str) -> Watch:
        watch = Watch(*words, spec, **more)
        running.append(watch)
        watch.until("watching")
        watch.until(first)
        return watch

    yield begin
    for watch in running:
        watch.process.kill()
        watch.process.wait()
    journal.discard()


def in_sync(spec: Path) -> bool:
    done = subprocess.run(command("diff", spec), capture_output=True, env=environment())
    return done.returncode == 0


# -- telling -------------------------------------------------------------------------------


DRIFTS = {
    "ruleset flushed": (FLUSH, "table inet nftnsr"),
    "element deleted": (
        "ip netns exec ens3 nft delete element inet nftnsr forward_ipv4 '{ tcp . 22 }'",
        "map inet nftnsr forward_ipv4",
    ),
    "address deleted": ("ip -n ens3 address del 1.2.3.4/24 dev ens3", "address 1.2.3.4/24"),
    "route deleted": ("ip -n ens3 -6 route del default", "route default via 2123"),
    "link down": ("ip -n ens3 link set vens3 down", "link vens3"),
    "link renamed": ("ip -n ens3 link set vens3 down name v", "link vens3"),
    "link deleted": ("ip link del vens3", "link vens3"),
    "uplink moved out": ("ip -n ens3 link set ens3 netns $$; true", "link ens3"),
    "host's default route deleted": ("ip route del default", "route default via 192.168.158.1"),
    "forwarding off": ("ip netns exec ens3 sysctl -qw net.ipv4.ip_forward=0", "ip_forward 0 -> 1"),
    "quiet sysctl": (
        "ip netns exec ens3 sysctl -qw net.ipv6.neigh.ens3.proxy_delay=80", "proxy_delay 80 -> 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_told_and_nothing_is_touched(applied: Segment, start: Start, name: str) -> None:
    change, words = DRIFTS[name]
    watch = start()
    sh(change)
    left = everything()
    drift = watch.until("drift")
    while words not in str(drift["differences"]):  # it came in parts
        drift = watch.until("drift")
    assert (drift["router"], drift["obstacles"]) == ("ens3", [])
    assert_same(everything(), left)
    assert watch.stop() == ""


def test_same_situation_is_told_once(applied: Segment, start: Start, spec: Path) -> None:
    watch = start()
    sh(FLUSH)
    watch.until("drift")
    sh("for i in {1..5}; do ip netns exec ens3 nft add table inet x$i; sleep 0.1; done")
    assert watch.more() == []
    sh("ip netns exec ens3 nft flush ruleset; ip -n ens3 address del 1.2.3.4/24 dev ens3")
    assert set(watch.more()) == {"drift"}
    nftnsr("apply", spec)
    assert watch.more(1) == ["in-sync"]


def test_what_has_no_notice_is_found_by_the_look_in_between(applied: Segment, start: Start) -> None:
    watch = start("--every", "300ms")
    sh("ip -n ens3 -6 neigh del proxy 2123:2134:abc:ddd::2 dev ens3")
    assert watch.until("drift")["differences"][0]["kind"] == "neighbour"


def test_people_get_words(applied: Segment, spec: Path) -> None:
    words = [*command("watch", spec)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "
    for line in ("watching ens3", "router ens3: in sync"):
        assert re.fullmatch(stamp + line + "\n", process.stdout.readline())
    sh("ip route del default")
    assert re.fullmatch(f"{stamp}router ens3: drift\n", process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert "    + route default via 192.168.158.1 dev vens3 proto 110\n" in rest
    assert rest.endswith(" stopping on SIGTERM\n")
    assert process.wait(SECONDS) == 0


# -- healing -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_healed(applied: Segment, start: Start, spec: Path, name: str) -> None:
    watch = start("--heal", "--limit", "50/1ms")
    sh(DRIFTS[name][0])
    watch.until("healed")
    watch.more()  # it may have come in parts
    assert in_sync(spec)
    assert "gave-up" not in watch.names()
    assert watch.stop() == ""


def test_own_heal_is_no_drift(applied: Segment, start: Start) -> None:
    watch = start("--heal")
    sh(FLUSH)
    assert watch.more(2) == ["drift", "healing", "healed"]
    assert watch.told[-1]["differences"] == watch.told[-3]["differences"]


def test_fight_is_given_up(applied: Segment, start: Start) -> None:
    watch = start("--heal", "--limit", "3/10m")
    adversary = subprocess.Popen(
        ["bash", "-c", f"while :; do {FLUSH}; sleep 0.02; done"], stderr=subprocess.DEVNULL
    )
    try:
        gave_up = watch.until("gave-up")
        assert (gave_up["router"], gave_up["tries"]) == ("ens3", 3)
        assert watch.names().count("healing") == 3
        assert "healing" not in watch.more(3)
        watch.process.send_signal(signal.SIGHUP)
        watch.until("spec-reloaded")
        watch.until("gave-up")
        assert watch.names().count("healing") == 6
    finally:
        adversary.kill()
        adversary.wait()
    assert "something else changes it" in watch.stop()


def test_given_up_router_is_tried_once_more_after_quiet(
    applied: Segment, start: Start, spec: Path
) -> None:
    watch = start("--heal", "--limit", "1/5s")
    sh(FLUSH)
    watch.until("healed")
    sh(FLUSH)
    watch.until("gave-up")
    assert watch.names().count("healing") == 1
    watch.until("healed")
    assert in_sync(spec)


def test_obstacle_is_told_and_not_fought(applied: Segment, start: Start) -> None:
    watch = start("--heal")
    with lock():  # nothing is judged in between
        sh("ip link del vens3; ip netns del ens3; ip link add vens3 type bridge; ip netns add ens3")
    drift = watch.until("drift")
    while "nftnsr did not make it" not in str(drift["obstacles"]):
        drift = watch.until("drift")
    before = everything()
    assert watch.more(1) == []
    assert_same(everything(), before)


def test_deleted_namespace_is_healed_when_its_uplink_is_back(
    applied: Segment, start: Start, spec: Path
) -> None:
    """A virtual uplink ends with its namespace; hardware comes back by itself."""
    watch = start("--heal")
    sh("ip netns del ens3")
    while not (drift := watch.until("drift"))["obstacles"]:
        pass
    assert "there is no interface ens3 any more" in drift["obstacles"][0]["message"]
    applied.provider.run(sh, "ip link del p0 || true")
    with lock():
        add_uplink(applied.provider)
    watch.until("healed")
    watch.more()
    assert in_sync(spec)


def test_namespace_that_lost_its_name_gets_it_back(
    applied: Segment, start: Start, spec: Path
) -> None:
    watch = start("--heal")
    holder = subprocess.Popen(["nsenter", "--net=/run/netns/ens3", "sleep", "60"])
    try:
        while b"sleep" not in Path(f"/proc/{holder.pid}/cmdline").read_bytes().split(b"\0")[0]:
            time.sleep(0.01)
        sh("ip netns del ens3")
        assert "lost its name" in str(watch.until("healed")["differences"])
        assert in_sync(spec)
    finally:
        holder.kill()
        holder.wait()


def test_many_heals_leak_nothing(applied: Segment, start: Start) -> None:
    watch = start("--heal", "--limit", "50/1ms")
    sizes: dict[int, tuple[int, int]] = {}
    for number in range(80):
        sh("ip route del default")
        watch.until("healed")
        if number in (20, 79):
            at_rest(watch)
            sizes[number] = descriptors(watch), memory(watch)
    assert sizes[79][0] == sizes[20][0]
    assert sizes[79][1] < sizes[20][1] + 4096, "KiB"


def at_rest(watch: Watch) -> None:
    """Wait until it does nothing: a look has threads of its own."""
    tasks, calm = Path(f"/proc/{watch.process.pid}/task"), 0
    while calm < 20:
        time.sleep(0.05)
        calm = calm + 1 if len(list(tasks.iterdir())) == 1 else 0


def descriptors(watch: Watch) -> int:
    return sum(1 for _ in Path(f"/proc/{watch.process.pid}/fd").iterdir())


def memory(watch: Watch) -> int:
    status = Path(f"/proc/{watch.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1])


def test_nothing_runs_while_nothing_happens(applied: Segment, start: Start) -> None:
    """It has one thread then; what the kernel tells of its neighbour cache costs some 0.1 ms."""
    watch = start("--heal")
    watch.more(3)
    process = Path(f"/proc/{watch.process.pid}")
    before = ran(process)
    time.sleep(3)
    assert ran(process) - before < 0.005, "a look takes more"
    assert len(list((process / "task").iterdir())) == 1
    sh("ip netns exec ens3 nft add table inet x")
    watch.more()
    assert ran(process) - before > 0.005


def ran(process: Path) -> float:
    """How many seconds a processor was used, all threads but those that have ended together."""
    return sum(int(p.read_text().split()[0]) for p in process.glob("task/*/schedstat")) / 1e9


# -- what others do ------------------------------------------------------------------------


def test_down_is_respected_and_a_new_apply_noticed(
    applied: Segment, start: Start, spec: Path
) -> None:
    watch = start("--heal")
    nftnsr("down", "ens3")
    assert watch.more(1) == ["not-applied"]
    assert "ens3" not in sh("ip netns list")
    sh("ip address add 1.2.3.99/24 dev ens3")
    assert watch.more() == []
    nftnsr("apply", spec)
    assert watch.more(1) == ["in-sync"]
    sh(FLUSH)
    watch.until("healed")


def test_down_that_could_not_end_everything_is_respected(
    applied: Segment, start: Start, spec: Path
) -> None:
    """Its record stays, for when the uplink is back."""
    watch = start("--heal")
    with lock():
        sh("ip -n ens3 link del ens3")
        watch.process.send_signal(signal.SIGSTOP)
    nftnsr("down", "ens3")
    watch.process.send_signal(signal.SIGCONT)
    assert Path("/var/lib/nftnsr/ens3.json").exists()
    watch.until("not-applied")
    add_uplink(applied.provider)
    assert watch.more(1) == []
    nftnsr("apply", spec)
    watch.until("in-sync")


def test_apply_by_another_process_is_no_drift(applied: Segment, start: Start, spec: Path) -> None:
    """It stops half-way, with everything done, so that there is time to notice it all."""
    watch = start()
    sh("ip -n ens3 link set ens3 mtu 1400")
    nftnsr("down", "ens3")
    watch.until("not-applied")
    nftnsr("apply", "--check", "sleep 1", spec)
    watch.until("in-sync")
    assert watch.more(1) == []


def test_change_that_fails_elsewhere_is_no_drift(
    applied: Segment, start: Start, spec: Path, tmp_path: Path
) -> None:
    watch = start()
    other = tmp_path / "other.toml"
    other.write_text(ARTICLE.replace('"22/tcp"', '"22/tcp", "80/tcp"'))
    nftnsr("apply", "--check", "sleep 1; false", other, status=2)
    assert watch.more(1) == []


def test_what_waits_to_be_confirmed_is_not_judged(
    applied: Segment, start: Start, spec: Path, tmp_path: Path
) -> None:
    watch = start("--heal")
    other = tmp_path / "other.toml"
    other.write_text(ARTICLE.replace('"22/tcp"', '"22/tcp", "80/tcp"'))
    nftnsr("apply", "--confirm", "30s", other)
    assert watch.until("waiting")["command"] == "apply"
    sh("ip route del default")
    assert watch.more(1) == []
    nftnsr("confirm")
    watch.until("healed")
    watch.more()
    assert in_sync(spec)


def test_what_a_crash_left_is_told_and_undone(
    applied: Segment, start: Start, spec: Path, tmp_path: Path
) -> None:
    watch = start()
    other = tmp_path / "other.toml"
    other.write_text(ARTICLE.replace('"22/tcp"', '"22/tcp", "80/tcp"'))
    apply = subprocess.Popen(
        command("apply", "--check", f"echo > {tmp_path}/done; sleep 60", other),
        env=environment(), start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / "done").exists():
        time.sleep(0.01)
    os.killpg(apply.pid, signal.SIGKILL)
    apply.wait()
    assert watch.until("unfinished")["pid"] == apply.pid
    watch.more()
    heals = start("--heal", first="recovered")
    assert heals.told[-1]["pid"] == apply.pid
    heals.more(1)
    assert in_sync(spec)
    assert watch.more()[-1] == "in-sync"


# -- the spec ------------------------------------------------------------------------------

MORE = ARTICLE.replace('"22/tcp"', '"22/tcp", "80/tcp"')


def replaced(spec: Path, text: str) -> None:
    new = spec.with_name("new")
    new.write_text(text)
    new.replace(spec)


def in_place(spec: Path, text: str) -> None:
    spec.write_text(text)


@pytest.mark.parametrize("write", [replaced, in_place])
def test_changed_spec_is_read_at_once(
    applied: Segment, start: Start, spec: Path, write: Callable[[Path, str], None]
) -> None:
    watch = start()
    write(spec, MORE)
    assert watch.until("spec-reloaded")["routers"] == ["ens3"]
    assert "tcp . 80" in str(watch.until("drift")["differences"])
    write(spec, ARTICLE)
    watch.until("in-sync")
    assert watch.names().count("spec-reloaded") == 2


def test_changed_spec_is_read_through_a_link(
    applied: Segment, start: Start, spec: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere" / "real.toml"
    target.parent.mkdir()
    spec.replace(target)
    spec.symlink_to(target)
    watch = start("--heal")
    replaced(target, MORE)
    watch.until("spec-reloaded")
    watch.until("healed")
    assert in_sync(spec)


def test_broken_spec_is_told_and_the_last_good_one_stays(
    applied: Segment, start: Start, spec: Path
) -> None:
    watch = start("--heal")
    in_place(spec, ARTICLE.replace("22/tcp", "70000/tcp"))
    problem = watch.until("spec-invalid")["problems"][0]
    assert (problem["line"], "70000" in problem["message"]) == (6, True)
    sh(FLUSH)
    watch.until("healed")
    spec.unlink()
    assert "there is no such file" in watch.until("spec-invalid")["error"]
    in_place(spec, ARTICLE)
    watch.until("spec-reloaded")
    assert in_sync(spec)
    assert "70000/tcp" in watch.stop()


def test_changed_block_list_is_read_at_once(segment: Segment, start: Start, spec: Path) -> None:
    blocked = spec.with_name("drop.txt")
    blocked.write_text("203.0.113.0/24\n")
    spec.write_text(ARTICLE + '[router.ens3.filter]\nblocklists = { drop = "drop.txt" }\n')
    nftnsr("apply", spec)
    watch = start("--heal")
    blocked.write_text("203.0.113.0/24\n198.51.100.0/24\n")
    watch.until("spec-reloaded")
    assert "198.51.100.0/24" in str(watch.until("healed")["differences"])
    assert in_sync(spec)


def test_specs_of_the_usual_place_come_and_go(applied: Segment, spec: Path) -> None:
    there = Path("/etc/nftnsr/one.toml")
    there.write_text(ARTICLE)
    watch = Watch()
    try:
        watch.until("in-sync")
        other = ARTICLE.replace("ens3", "wan9").replace("1.2.3.", "1.2.4.").replace("158", "159")
        other = other.replace("2123:", "2124:") + "default_route = false\n"
        Path("/etc/nftnsr/two.toml").write_text(other)
        assert watch.until("spec-reloaded")["routers"] == ["ens3", "wan9"]
        assert watch.until("not-applied")["router"] == "wan9"
        watch.stop()
    finally:
        watch.process.kill()


# -- the service manager, and the end ------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(SECONDS)
        yield listener


def test_service_manager_is_told(
    applied: Segment, start: Start, manager: socket.socket, spec: Path
) -> None:
    def until(words: str) -> str:
        while words not in (said := manager.recv(4096).decode()):
            pass
        return said

    watch = start(NOTIFY_SOCKET=str(manager.getsockname()), WATCHDOG_USEC="200000")
    assert "STATUS=machine: in sync; router ens3: in sync" in until("READY=1")
    for _ in range(5):
        until("WATCHDOG=1")
    sh(FLUSH)
    until("router ens3: drift")
    watch.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in until("RELOADING=1")
    until("READY=1")
    watch.stop()
    until("STOPPING=1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_everything_as_it_is(
    applied: Segment, start: Start, number: signal.Signals
) -> None:
    before = everything()
    watch = start("--heal")
    assert watch.stop(number) == ""
    assert_same(everything(), before)


def test_stop_in_the_middle_of_a_heal_leaves_nothing_half_done(
    applied: Segment, start: Start, spec: Path
) -> None:
    for _ in range(2):
        watch = start("--heal")
        sh(FLUSH)
        watch.until("healing")
        watch.stop()
        assert journal.unfinished() is None
        text = sh("ip netns exec ens3 nft list ruleset")
        assert not text or in_sync(spec)
        nftnsr("apply", spec)


def test_watch_of_a_broken_spec_does_not_begin(segment: Segment, spec: Path) -> None:
    spec.write_text("[router")
    nftnsr("watch", spec, status=2)
