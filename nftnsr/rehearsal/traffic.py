"""Flows that are kept busy while something else happens, by a process of their own.

Of their own, since they measure how long a flow stands still: an apply in the same process would
be in their way. Its sockets are made in the rooms before it starts, and stay in their namespaces.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import selectors
import signal
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from multiprocessing.connection import Connection
from typing import Any

from attrs import define, field, frozen

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.isolation import die_with
from nftnsr.rehearsal import sockets
from nftnsr.rehearsal.probes import Reach, Server
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Address

PULSE = 0.01
"""Seconds from one thing that a client says to the next: what is shorter is no standstill."""
PATIENCE = 3.0
"""How long to wait for a flow that should go on: several retransmissions of TCP."""
BRIEF = 0.4
"""How long to watch for one that should not: the first retransmission of TCP comes after 0.2 s."""
_PULSE = struct.Struct("!Id")  # the flow's number, and when the pulse was sent
_NO_LINGER = struct.pack("ii", 1, 0)


@frozen
class Arrival:
    """A pulse that got to a server; times are those of the monotonic clock."""

    sent: float
    server: Server
    client: Address


@define
class Log:
    """What happened to one flow."""

    arrivals: list[Arrival] = field(factory=list)
    answers: list[tuple[float, float]] = field(factory=list)
    """When each was asked for, and when it came."""
    error: str | None = None


class Traffic:
    """A flow for each of `reaches`, from the `with` on until `end`.

    with Traffic(world, reaches) as traffic:
        apply(new)
        logs = traffic.end(waiting_for)
    """

    def __init__(self, world: World, reaches: Collection[Reach]) -> None:
        self._world = world
        self._reaches = tuple(reaches)
        self._pid = 0
        self._pipe: Connection
        self.began: Mapping[int, Arrival] = {}
        """By the number of each flow that is under way, the first of its pulses that arrived."""

    def __enter__(self) -> Traffic:
        with ExitStack() as opened:
            clients = [opened.enter_context(self._client(reach)) for reach in self._reaches]
            wanted = dict.fromkeys(s for reach in self._reaches for s in reach.servers)
            servers = [(s, opened.enter_context(self._server(s))) for s in wanted]
            self._pipe, theirs = multiprocessing.Pipe()
            parent = os.getpid()
            self._pid = os.fork()
            if self._pid == 0:
                _child(parent, theirs, _Driver(self._reaches, clients, servers))
        theirs.close()
        self.began = self._receive()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def end(self, lasting: Collection[int]) -> list[Log]:
        """Look on until it is clear what became of every flow; `lasting` are to be waited for."""
        self._pipe.send(frozenset(lasting))
        logs: list[Log] = self._receive()
        return logs

    def _client(self, reach: Reach) -> socket.socket:
        room = self._world.room(reach.origin.place)
        version, protocol = reach.address.version, reach.server.protocol
        made = sockets.client(room, version, protocol, reach.origin.address)
        _end_at_once(made)
        return made

    def _server(self, server: Server) -> socket.socket:
        room = self._world.room(server.place)
        return sockets.server(room, server.protocol, server.address, server.port)

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise KernelError("the traffic of the rehearsal has ended by itself") from None


def _child(parent: int, pipe: Connection, driver: _Driver) -> None:
    """The whole life of the process; it never returns."""
    try:
        die_with(parent)
        driver.start()
        driver.run_until(lambda _: driver.all_answered(0.0), PATIENCE)
        pipe.send({number: log.arrivals[0] for number, log in driver.begun()})
        driver.run_until(lambda _: pipe.poll(), None)
        lasting, since = pipe.recv(), time.monotonic()
        driver.run_until(lambda now: now > since + BRIEF, None)
        driver.run_until(lambda _: driver.all_answered(since, lasting), PATIENCE)
        pipe.send(driver.logs)
    finally:
        os._exit(0)


@define
class _Driver:
    """All flows in one loop: clients say something at every pulse, servers say it back."""

    reaches: tuple[Reach, ...]
    clients: list[socket.socket]
    servers: list[tuple[Server, socket.socket]]
    logs: list[Log] = field(init=False)
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _due: list[float] = field(factory=list)
    _partial: dict[socket.socket, bytes] = field(factory=lambda: defaultdict(bytes))

    def start(self) -> None:
        self.logs = [Log() for _ in self.reaches]
        for server, sock in self.servers:
            tcp = server.protocol == "tcp"
            self._hear(sock, self._accept if tcp else self._datagrams, server)
        now = time.monotonic()
        for number, (reach, sock) in enumerate(zip(self.reaches, self.clients, strict=True)):
            self._due.append(now + PULSE * number / len(self.reaches))
            sock.connect_ex((str(reach.address), reach.port))
            self._hear(sock, self._answers, number)

    def run_until(self, done: Callable[[float], bool], seconds: float | None) -> None:
        now = time.monotonic()
        deadline = None if seconds is None else now + seconds
        while not done(now) and (deadline is None or now < deadline):
            for key, _ in self._selector.select(PULSE / 4):
                receive, what = key.data
                receive(key.fileobj, what)
            now = time.monotonic()
            for number, due in enumerate(self._due):
                if due <= now:
                    self._due[number] = max(due + PULSE, now)
                    self._say(number)

    def all_answered(self, since: float, numbers: Collection[int] | None = None) -> bool:
        """Whether of each flow something was answered that was asked later than `since`."""
        chosen = range(len(self.logs)) if numbers is None else numbers
        return all(self._answered(self.logs[n], since) for n in chosen)

    def begun(self) -> Iterator[tuple[int, Log]]:
        return ((n, log) for n, log in enumerate(self.logs) if log.answers)

    def _answered(self, log: Log, since: float) -> bool:
        return bool(log.answers) and log.answers[-1][0] > since

    def _hear(self, sock: socket.socket, receive: Callable[..., None], what: object) -> None:
        self._selector.register(sock, selectors.EVENT_READ, (receive, what))

    def _say(self, number: int) -> None:
        try:
            self.clients[number].send(_PULSE.pack(number, time.monotonic()))
        except BlockingIOError:
            pass  # a connection that is being made, or that stands still
        except OSError as error:
            self._failed(number, error)

    def _failed(self, number: int, error: OSError) -> None:
        # A datagram that nobody wanted ends no flow; a connection fails but once.
        reason = os.strerror(error.errno or 0).lower()
        self.logs[number].error = reason
        if self.reaches[number].server.protocol == "tcp":
            self._due[number] = float("inf")
            self._selector.unregister(self.clients[number])

    def _answers(self, sock: socket.socket, number: int) -> None:
        try:
            for _, sent in self._pulses(sock):
                self.logs[number].answers.append((sent, time.monotonic()))
        except OSError as error:
            self._failed(number, error)

    def _accept(self, listening: socket.socket, server: Server) -> None:
        try:
            sock, peer = listening.accept()
        except OSError:
            return  # the client has given up
        sock.setblocking(False)
        _end_at_once(sock)
        self._hear(sock, self._stream, (server, ip_address(peer[0])))

    def _stream(self, sock: socket.socket, ends: tuple[Server, Address]) -> None:
        try:
            for number, sent in self._pulses(sock):
                self.logs[number].arrivals.append(Arrival(sent, *ends))
                sock.send(_PULSE.pack(number, sent))
        except OSError:
            self._selector.unregister(sock)

    def _datagrams(self, sock: socket.socket, server: Server) -> None:
        try:
            data, peer = sock.recvfrom(_PULSE.size)
            number, sent = _PULSE.unpack(data)
            self.logs[number].arrivals.append(Arrival(sent, server, ip_address(peer[0])))
            sock.sendto(data, peer)
        except OSError:
            pass  # what was said before has not got there

    def _pulses(self, sock: socket.socket) -> Iterator[tuple[int, float]]:
        """What has come on a client's socket or on a connection, which may be parts of pulses."""
        try:
            data = sock.recv(4096)
        except BlockingIOError:
            return  # a datagram whose checksum was wrong
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the other end has gone")
        data = self._partial[sock] + data
        whole = len(data) - len(data) % _PULSE.size
        self._partial[sock] = data[whole:]
        yield from _PULSE.iter_unpack(data[:whole])


def _end_at_once(sock: socket.socket) -> None:
    """Let the socket's end be a reset: what is held back would go on being sent afterwards."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
