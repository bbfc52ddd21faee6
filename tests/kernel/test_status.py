"""`nftnsr status` of live routers, for people at a terminal and for programs."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from .conftest import ARTICLE, Segment, sh
from .test_cli import SAME, TROUBLE, command, environment, nftnsr

_INSTALLED = Path("/etc/nftnsr/ens3.toml")
_STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def applied(segment: Segment) -> Segment:
    """The article's router, its spec where nftnsr looks for it."""
    _INSTALLED.write_text(ARTICLE.replace("forward ", "counters = true\nforward "))
    assert nftnsr("apply").status == SAME
    return segment


def test_page_is_that_of_the_kernel(applied: Segment) -> None:
    with (
        socket.create_server(("192.168.158.2", 22)),
        applied.provider.run(socket.create_connection, ("1.2.3.4", 22), 5),
    ):
        done = nftnsr("status")
    assert (done.status, done.err) == (SAME, "")
    words = [line.split() for line in done.out.splitlines()]
    assert done.out.startswith("router ens3: in sync, applied ")
    assert ["ens3", "up", "1450", "02:00:00:00:00:03", "1.2.3.4/24"] in words
    assert ["default", "via", "1.2.3.1", "dev", "ens3"] in words
    assert ["host:", "default", "via", "192.168.158.1", "dev", "vens3"] in words
    assert ["FORWARD", "CONNECTIONS", "FLOWS", "PACKETS", "BYTES"] in words
    # SYN, SYN-ACK and ACK: 60, 60 and 52 bytes.
    assert ["22/tcp", "1", "1", "3", "172", "B"] in words
    assert ["1", "flow", "tracked,"] in [line[:3] for line in words]


def test_drift_and_links_that_are_down_are_on_the_page(applied: Segment) -> None:
    sh("ip -n ens3 route del default; ip -n ens3 link set vens3 down")
    done = nftnsr("status", "--json", "ens3")
    router = done.document["routers"][0]  # type: ignore[index]
    assert router["in_sync"] is False
    assert router["differences"] >= 2
    states = {(i["namespace"], i["name"]): (i["up"], i["carrier"]) for i in router["links"]}
    assert states[None, "vens3"] == (True, False)
    assert states["ens3", "vens3"] == (False, False)
    assert states["ens3", "ens3"] == (True, True)
    assert not any("via 1.2.3.1" in each["route"] for each in router["routes"])


def test_router_whose_spec_lies_elsewhere_is_told_by_its_record(
    applied: Segment, tmp_path: Path
) -> None:
    spec = Path(shutil.move(_INSTALLED, tmp_path / "spec.toml"))
    unknown = nftnsr("status")
    assert "no spec in /etc/nftnsr tells what it should be" in unknown.out
    assert "22/tcp -> 192.168.158.2:22" in unknown.out
    assert nftnsr("status", spec).out.startswith("router ens3: in sync")


def test_router_that_was_never_applied_is_not_there(segment: Segment) -> None:
    _INSTALLED.write_text(ARTICLE)
    assert nftnsr("status").out == "router ens3: not there\n"
    unknown = nftnsr("status", "ens9")
    assert unknown.status == TROUBLE
    assert "nothing is known of a router ens9; applied here: none" in unknown.err


def test_faulty_spec_of_another_router_hides_none(applied: Segment) -> None:
    _INSTALLED.with_name("other.toml").write_text("[router.other]\nuplink = 5\n")
    done = nftnsr("status")
    assert done.status == SAME
    assert done.out.startswith("router ens3: in sync")
    assert "other.toml:2:10" in done.err


class Terminal:
    """A process on a terminal of so many columns."""

    def __init__(self, columns: int, *arguments: str, **more: str) -> None:
        self._end, other = pty.openpty()
        ioctl(other, TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            command(*arguments), stdin=other, stdout=other, stderr=other,
            env=environment(TERM="xterm-256color", **more),
        )  # fmt: skip
        os.close(other)

    def read(self, until: str = "") -> str:
        """What it shows: all of it, or up to and with these words."""
        seen = b""
        while not until or until not in _STYLES.sub("", seen.decode(errors="replace")):
            try:
                seen += os.read(self._end, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
        return seen.decode()


@pytest.mark.parametrize("columns", [80, 120])
def test_terminal_shows_tables_as_wide_as_it_is(applied: Segment, columns: int) -> None:
    terminal = Terminal(columns, "status")
    shown = terminal.read()
    assert terminal.process.wait(20) == SAME
    assert "\x1b[32min sync" in shown
    lines = _STYLES.sub("", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert any("─" * 30 in line for line in lines)
    assert any("2123:2134:abc:ddd::3/64" in line for line in lines)


def test_terminal_without_colour_shows_none(applied: Segment) -> None:
    shown = Terminal(80, "status", NO_COLOR="1").read()
    assert "in sync" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_watch_looks_again_until_it_is_stopped(applied: Segment) -> None:
    terminal = Terminal(100, "status", "--watch", "100ms")
    terminal.read(until="in sync")
    sh("ip -n ens3 route del default")
    terminal.read(until="difference")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(20) == SAME


def test_watched_by_a_program_it_prints_one_document_after_another(applied: Segment) -> None:
    process = subprocess.Popen(
        command("status", "--json", "--watch", "10ms"),
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    while seen.count('"changing"') < 3:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    seen += process.stdout.read()
    assert process.wait(20) == SAME
    decoder = json.JSONDecoder()
    documents = []
    while seen := seen.lstrip():
        document, end = decoder.raw_decode(seen)
        documents.append(document)
        seen = seen[end:]
    assert len(documents) >= 3
    assert {d["routers"][0]["in_sync"] for d in documents} == {True}
