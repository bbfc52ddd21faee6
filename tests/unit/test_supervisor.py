"""Laws of what a service manager is told, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nftnsr.kernel.supervisor import Supervisor


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@nftnsr-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0") if name[0] == "@" else name)
        listener.settimeout(5)
        yield name, listener


def test_manager_is_told(manager: tuple[str, socket.socket]) -> None:
    name, listener = manager
    supervisor = Supervisor.above({"NOTIFY_SOCKET": name})
    supervisor.ready("all is well")
    assert listener.recv(999) == b"READY=1\nSTATUS=all is well"
    supervisor.alive()
    assert listener.recv(999) == b"WATCHDOG=1"
    supervisor.reloading()
    first, second = listener.recv(999).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert int(second.split("=")[1]) > 0
    supervisor.stopping()
    assert listener.recv(999) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("more", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_sign_of_life_is_given_where_it_is_wanted(
    more: dict[str, str], interval: float | None
) -> None:
    assert Supervisor.above({"NOTIFY_SOCKET": "/run/x", **more}).interval == interval


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/no/such"}])
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    Supervisor.above(environment).ready("all is well")
