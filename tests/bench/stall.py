"""How long connectivity is gone: over a first apply, a re-apply and down."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle, pairwise
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.bench.actors import Actor
from tests.bench.measure import nftnsr, progress, run
from tests.bench.rivals import ARTICLE_UP, iptables_again, iptables_rule, nft_anew
from tests.bench.table import Row, Table, rows
from tests.bench.world import (
    GATEWAY,
    PROVIDER,
    PUBLIC,
    ROUTER,
    World,
    applied,
    compiled,
    in_namespace,
    spec,
)

_PORT = 7007
_FORWARDS = ("22/tcp", f"{_PORT}/udp", f"{_PORT}/tcp")
_PACE = 0.001
_PATIENCE = 0.3
_SPECS = (Path("/run/bench/one.toml"), Path("/run/bench/other.toml"))


def tables(quick: bool) -> Iterator[Table]:
    rounds = 3 if quick else 9
    yield _outage(rounds)
    yield _pause(rounds)


def _outage(rounds: int) -> Table:
    """Time without an answer to new flows, from outside and from the host."""
    file = spec(_FORWARDS, path=_SPECS[0])
    first, down = nftnsr("apply", file), nftnsr("down", ROUTER)
    events: dict[str, tuple[World, Callable[[], object]]] = {
        "nothing": (World(), lambda: time.sleep(0.5)),
        "nftnsr apply, the first": (World(), lambda: run(*first)),
        "nftnsr down": (applied(*_FORWARDS), lambda: run(*down)),
        "the article's commands": (World(), lambda: run("bash", "-e", text=ARTICLE_UP)),
    }
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, (world, event) in events.items():
            progress(f"stall: {name}, round {number + 1} of {rounds}")
            with world:
                inwards, outwards = _probe(event)
            samples.setdefault(f"{name}: from outside", []).append(inwards)
            samples.setdefault(f"{name}: from the host", []).append(outwards)
    progress("")
    remark = "The longest time without an answer; UDP, a new flow each millisecond."
    return Table("outage", "ms", rows(samples, 1000), remark=remark)


def _pause(rounds: int) -> Table:
    """The longest pause of an established TCP flow through a forward."""
    one, other = (
        spec(forwards, hairpin=hairpin, path=path)
        for forwards, hairpin, path in (
            (_FORWARDS, True, _SPECS[0]),
            ((*_FORWARDS, "2222/tcp"), False, _SPECS[1]),
        )
    )
    again = cycle((other, one))
    anew = cycle(nft_anew(compiled(file)) for file in (other, one))
    rules = tuple(iptables_rule(port) for port in (_PORT, 22))
    enter = ("nft", "-f", "-")
    ways: dict[str, Callable[[], object]] = {
        "nothing": lambda: time.sleep(0.5),
        "nftnsr apply, rules and elements changed": lambda: run(*nftnsr("apply", next(again))),
        "nft -f, table made anew": lambda: run(*in_namespace(ROUTER, *enter), text=next(anew)),
        "iptables -F, -A": lambda: run(
            *in_namespace(ROUTER, "bash", "-e"), text=iptables_again(*rules)
        ),
    }
    samples: dict[str, list[float | None]] = {}
    for number in range(rounds):
        for name, way in ways.items():
            progress(f"stall: {name}, round {number + 1} of {rounds}")
            with applied(*_FORWARDS):
                if "iptables" in name:
                    run(*in_namespace(ROUTER, "nft", "flush", "ruleset"))
                    way()
                samples.setdefault(name, []).append(_ping_pong(way))
    progress("")
    # Once no rule of a namespace needs conntrack any more, it ends there, and with it every flow.
    remark = "A ping-pong through a forward, a millisecond between its turns."
    flows = tuple(_flows(name, each) for name, each in samples.items())
    return Table("pause of an established TCP flow", "ms", flows, remark=remark)


def _flows(name: str, pauses: list[float | None]) -> Row:
    survived = tuple(pause * 1000 for pause in pauses if pause is not None)
    broken = len(pauses) - len(survived)
    return Row(name, survived, f"{broken} of {len(pauses)} flows broken" if broken else "")


def _probe(event: Callable[[], object]) -> tuple[float, float]:
    with (
        Actor(None, _echo_datagrams),
        Actor(PROVIDER, _echo_datagrams),
        Actor(PROVIDER, _ask, PUBLIC) as inwards,
        Actor(None, _ask, GATEWAY) as outwards,
    ):
        time.sleep(0.2)
        event()
        time.sleep(1.0)
        return inwards.result(), outwards.result()


def _ping_pong(event: Callable[[], object]) -> float | None:
    with Actor(None, _echo_stream), Actor(PROVIDER, _talk) as talker:
        time.sleep(0.2)
        event()
        time.sleep(0.2)
        pause: float | None = talker.result()
        return pause


def _echo_datagrams(ready: Callable[[], None], stop: Event) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", _PORT))
        ready()
        while not stop.is_set():
            data, address = server.recvfrom(64)
            with suppress(OSError):  # there may be no way back just now
                server.sendto(data, address)


def _ask(ready: Callable[[], None], stop: Event, address: str) -> float:
    """Ask from a new port each millisecond; returns the longest time without an answer.

    A question is answered when its answer comes within `_PATIENCE`.
    """
    poller = select.epoll()
    waiting: dict[int, tuple[socket.socket, float]] = {}
    answered: list[float] = []
    ready()
    start = due = time.perf_counter()
    while not stop.is_set():
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        waiting[asker.fileno()] = asker, time.perf_counter()
        poller.register(asker, select.EPOLLIN)
        with suppress(OSError):
            asker.sendto(b"?", (address, _PORT))
        due = max(due + _PACE, time.perf_counter())
        while True:
            for number, _ in poller.poll(max(0.0, due - time.perf_counter())):
                asked, sent = waiting.pop(number)
                asked.close()
                answered.append(sent)
            if time.perf_counter() >= due:
                break
        for number, (asked, sent) in tuple(waiting.items()):
            if due - sent < _PATIENCE:
                break
            asked.close()
            del waiting[number]
    moments = [start, *sorted(answered), time.perf_counter()]
    return max(b - a for a, b in pairwise(moments))


def _echo_stream(ready: Callable[[], None], _: Event) -> None:
    with socket.create_server(("", _PORT)) as server:
        ready()
        peer, _address = server.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := peer.recv(64):
            peer.sendall(data)


def _talk(ready: Callable[[], None], stop: Event) -> float | None:
    """Send and wait for the echo, in turns; returns the longest time between two echoes.

    None: the flow was broken.
    """
    longest = 0.0
    with socket.create_connection((PUBLIC, _PORT), timeout=10) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready()
        last = time.perf_counter()
        while not stop.is_set():
            try:
                peer.sendall(b"?")
                if not peer.recv(64):
                    return None
            except OSError:
                return None
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now
            time.sleep(_PACE)
    return longest
