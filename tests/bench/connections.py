"""New TCP connections through the router: a map, or a chain of rules."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.synchronize import Event

from tests.bench.actors import Actor
from tests.bench.measure import in_turns, nftnsr, run
from tests.bench.rivals import iptables_restore
from tests.bench.table import Table, rows
from tests.bench.world import (
    HOST,
    PROVIDER,
    PUBLIC,
    ROUTER,
    applied,
    forward,
    in_namespace,
    sh,
    spec,
)

_PORT = 60000
_FIRST = 1024
# A reset instead of a farewell: neither end keeps the port in TIME_WAIT.
_LINGER = struct.pack("ii", 1, 0)


def tables(quick: bool) -> Iterator[Table]:
    many = 1000 if quick else 10000
    rounds, seconds = (3, 0.5) if quick else (7, 1.0)
    # The rule that matches is the last one.
    ports = {size: (*range(_FIRST, _FIRST + size - 1), _PORT) for size in (1, many)}
    with applied(forward(_PORT)), ExitStack() as servers:
        # Conntrack forgets closed connections before there are too many of them.
        close = "net.netfilter.nf_conntrack_tcp_timeout_close=1"
        sh(f"ip netns exec {ROUTER} sysctl -qw {close}")
        for _ in range(2):
            servers.enter_context(Actor(None, _serve))
        subjects = {}
        for size in ports:
            subjects[f"map of {size}"] = lambda s=size: _map(ports[s], seconds)
            subjects[f"chain of {size}"] = lambda s=size: _chain(ports[s], seconds)
        samples = in_turns(subjects, rounds)
    remark = "nftnsr's map of forwards, or a chain of iptables rules of which the last one matches."
    base = "chain of 1"
    yield Table("new TCP connections", "/s", rows(samples), base=base, remark=remark)


def _map(ports: tuple[int, ...], seconds: float) -> float:
    _empty()
    run(*nftnsr("apply", spec(map(forward, ports))))
    return _rate(seconds)


def _chain(ports: tuple[int, ...], seconds: float) -> float:
    _empty()
    run(*in_namespace(ROUTER, "iptables-restore"), text=iptables_restore(ports))
    return _rate(seconds)


def _empty() -> None:
    run(*in_namespace(ROUTER, "nft", "flush", "ruleset"))


def _rate(seconds: float) -> float:
    clients = [Actor(PROVIDER, _connect, seconds) for _ in range(max(2, (os.cpu_count() or 1)))]
    return float(sum(client.wait() for client in clients)) / seconds


def _connect(ready: Callable[[], None], _: Event, seconds: float) -> int:
    ready()
    made = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with socket.socket() as client:
            client.settimeout(2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            client.connect((PUBLIC, _PORT))
        made += 1
    return made


def _serve(ready: Callable[[], None], _: Event) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind((HOST, _PORT))
        server.listen(4096)
        ready()
        while True:
            try:
                server.accept()[0].close()
            except ConnectionError:
                continue  # reset before it was accepted
