"""One probe at a time: send its packets, wait as long as it deserves, judge what came back."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import struct
import termios
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from itertools import count
from typing import assert_never

from attrs import evolve, field, frozen

from nftnsr.rehearsal import lasting, packets, sockets
from nftnsr.rehearsal.outcome import Result
from nftnsr.rehearsal.probes import (
    BULK,
    Arrives,
    Bulk,
    Echo,
    Exceed,
    Leak,
    Outage,
    Probe,
    Reach,
    Server,
    Solicit,
    Spread,
)
from nftnsr.rehearsal.servers import LARGEST, Servers, Sighting
from nftnsr.rehearsal.world import World

PATIENCE = 3.0
"""Longer than the first retransmission of a SYN (1 s) and than duplicate address detection."""
BRIEF = 0.4
"""How long to wait for what should not come: a thousand times a round trip in this world."""
_RESEND = 0.25


@frozen
class Seen:
    """What a probe saw, in words, and whether that is what the spec promises."""

    ok: bool
    text: str


class Lost(str):
    """What got to a server whose answer did not come back: never what the spec promises."""


@frozen
class Trials:
    """Runs probes in a world, in the running event loop."""

    world: World
    servers: Servers
    _tokens: count[int] = field(factory=count)
    _turns: defaultdict[tuple[Server, ...], asyncio.Lock] = field(
        factory=lambda: defaultdict(asyncio.Lock)
    )

    async def run(self, probe: Probe) -> Result:
        start = time.perf_counter()
        try:
            seen = await self._try(probe)
        except OSError as error:
            seen = Seen(False, _reason(error))
        milliseconds = (time.perf_counter() - start) * 1000
        return Result(
            probe.router, probe.kind, probe.name, probe.expected, seen.text, seen.ok, milliseconds
        )

    async def _try(self, probe: Probe) -> Seen:
        match probe:
            case Reach():
                return await self._reach(probe)
            case Spread():
                # Of two servers that take turns, two who ask in step would each get but one.
                async with self._turns[probe.servers]:
                    return await self._spread(probe)
            case Exceed():
                return await self._exceed(probe)
            case Bulk():
                return await self._bulk(probe)
            case Echo():
                return await self._echo(probe)
            case Solicit():
                return await self._solicit(probe)
            case Leak():
                return await self._leak(probe)
            case Outage():
                return await self._outage(probe)
            case _:
                assert_never(probe)

    async def _reach(self, probe: Reach) -> Seen:
        return _judge(probe, await self._ask(probe))

    async def _ask(self, probe: Reach) -> Sighting | str:
        """Who answered, or why nobody did."""
        if probe.server.protocol == "tcp":
            return await self._connect(probe)
        token = f"nftnsr {next(self._tokens)}".encode()
        answer = await self._exchange(probe, token)
        arrived = self.servers.arrived.get(token)
        if isinstance(answer, str) and arrived is not None:
            return Lost(f"got to {arrived.server} from {arrived.client}, but no answer came back")
        return answer

    async def _spread(self, probe: Spread) -> Seen:
        missing = dict.fromkeys(map(str, probe.servers))
        for each in probe.tries:
            if missing.keys().isdisjoint(map(str, each.servers)):
                continue
            answer = await self._ask(each)
            seen = _judge(each, answer)
            if not seen.ok or isinstance(answer, str):
                return Seen(False, f"{seen.text}, from {each.origin}")
            missing.pop(answer.server, None)
            if probe.faithful and (again := await self._ask(each)) != answer:
                other = again if isinstance(again, str) else again.server
                return Seen(False, f"{each.origin} got {answer.server}, then {other}")
        if missing:
            return Seen(False, f"{len(probe.tries)} tries, and no answer of {', '.join(missing)}")
        return Seen(True, probe.expected)

    async def _exceed(self, probe: Exceed) -> Seen:
        first, *others = probe.ways
        answered = 0
        while not isinstance(answer := await self._ask(first), str):
            answered += 1
            if answered == probe.times:
                return Seen(False, f"{answered} tries, and every one was answered")
        for other in others:
            if not (seen := _judge(other, await self._ask(other))).ok:
                return Seen(False, f"{answer} after {answered} tries, but {seen.text}")
        return Seen(True, f"{answer} after {answered} tries")

    async def _connect(self, probe: Reach) -> Sighting | str:
        loop = asyncio.get_running_loop()
        room = self.world.room(probe.origin.place)
        patience = _patience(probe)
        with sockets.client(room, probe.address.version, "tcp", probe.origin.address) as sock:
            try:
                async with asyncio.timeout(patience):
                    await loop.sock_connect(sock, (str(probe.address), probe.port))
                    answer = await loop.sock_recv(sock, LARGEST)
                    told = sockets.told_segment(sock)
            except TimeoutError:
                await _catch_up()
                return self._arrival(probe, sock) or f"no answer in {patience:g} s"
            except OSError as error:
                return _reason(error)
        if not answer:
            return "a connection without an answer"
        sighting = Sighting.decode(answer)
        return evolve(sighting, segment=max(told, sighting.segment))

    async def _bulk(self, probe: Bulk) -> Seen:
        loop = asyncio.get_running_loop()
        room, version = self.world.room(probe.origin.place), probe.address.version
        came = 0
        with sockets.client(room, version, "tcp", probe.origin.address) as sock:
            try:
                async with asyncio.timeout(PATIENCE):
                    await loop.sock_connect(sock, (str(probe.address), probe.port))
                    await loop.sock_recv(sock, LARGEST)
                    await loop.sock_sendall(sock, bytes(BULK))
                    sock.shutdown(socket.SHUT_WR)
                    while data := await loop.sock_recv(sock, BULK):
                        came += len(data)
            except TimeoutError:
                left = _unacknowledged(sock)
                where = f"{left} bytes on the way there" if left else f"{came} bytes came back"
                return Seen(False, f"{where} after {PATIENCE:g} s")
        return Seen(came == BULK, probe.expected if came == BULK else f"{came} bytes came back")

    def _arrival(self, probe: Reach, sock: socket.socket) -> Lost | None:
        """Whether a server got to hear of a connection that was not made."""
        source, port = sock.getsockname()[:2]
        for server in probe.servers:
            if (ip_address(source), port, server.address, server.port) in self.servers.opened:
                return Lost(f"got to {server} from {source}, but no answer came back")
        return None

    async def _exchange(self, probe: Reach, token: bytes) -> Sighting | str:
        loop = asyncio.get_running_loop()
        room = self.world.room(probe.origin.place)
        patience = _patience(probe)
        with sockets.client(room, probe.address.version, "udp", probe.origin.address) as sock:
            try:
                async with asyncio.timeout(patience):
                    await loop.sock_connect(sock, (str(probe.address), probe.port))
                    return await _ask_again(sock, token)
            except TimeoutError:
                await _catch_up()
                with suppress(BlockingIOError):
                    return Sighting.decode(sock.recv(LARGEST))
                return f"no answer in {patience:g} s"
            except OSError as error:
                return _reason(error)

    async def _echo(self, probe: Echo) -> Seen:
        loop = asyncio.get_running_loop()
        version = probe.address.version
        room = self.world.room(probe.origin.place)
        identity = next(self._tokens) % 0x10000
        patience = PATIENCE if probe.answered else BRIEF
        with sockets.icmp(room, version, probe.origin.address) as sock:
            try:
                async with asyncio.timeout(patience):
                    request = packets.echo_request(version, identity)
                    await loop.sock_sendto(sock, request, (str(probe.address), 0))
                    while not packets.is_echo_reply(
                        version, await loop.sock_recv(sock, LARGEST), identity
                    ):
                        pass
            except TimeoutError:
                return Seen(not probe.answered, f"no reply in {patience:g} s")
        return Seen(probe.answered, "a reply")

    async def _solicit(self, probe: Solicit) -> Seen:
        loop = asyncio.get_running_loop()
        room = self.world.room(probe.place)
        mine = sockets.mac_of(room, probe.link)
        group = str(packets.solicited_group(probe.address))
        with sockets.solicitor(room, probe.link) as sock:
            try:
                async with asyncio.timeout(probe.within):
                    request = packets.solicitation(probe.address, mine)
                    await loop.sock_sendto(sock, request, (group, 0))
                    answer = None
                    while answer is None:
                        packet = await loop.sock_recv(sock, LARGEST)
                        answer = packets.advertised_mac(packet, probe.address)
            except TimeoutError:
                return Seen(False, f"no advertisement in {probe.within:g} s")
        return Seen(answer == probe.mac, f"it is at {answer}")

    async def _leak(self, probe: Leak) -> Seen:
        with ExitStack() as opened:
            flows = await lasting.begin(self.world, probe, opened)
            lasting.say(self.world, probe, flows)
            self.world.forget_flows(probe.router)
            lasting.say(self.world, probe, flows)
        # What is on its way gets counted.
        await asyncio.sleep(0.05)
        leaked = self.world.leaked(probe.segment)
        sources = [f"{source} ({number} packets)" for source, number in leaked.items()]
        return Seen(not sources, f"left: {', '.join(sources)}" if sources else "none")

    async def _outage(self, probe: Outage) -> Seen:
        self.world.carrier(probe.segment, on=False)
        try:
            answers = [(each, await self._ask(each)) for each in probe.tries]
        finally:
            # A next hop that was asked for in vain would fail the next outage, too: with the
            # carrier the kernel forgets whom it asks for.
            for on in (True, False, True):
                self.world.carrier(probe.segment, on=on)
        judged = [(each, _judge(each, answer)) for each, answer in answers]
        failed = [f"{seen.text}, from {each.origin}" for each, seen in judged if not seen.ok]
        return Seen(not failed, "; ".join(failed) or probe.expected)


def _unacknowledged(sock: socket.socket) -> int:
    """How many of the bytes that were sent have not got there."""
    (size,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(size)


async def _catch_up() -> None:
    """Let the servers read and answer what has got to them.

    On a machine so busy that this process has not run for a while the time is over before they
    have had their turn.
    """
    for _ in range(3):
        await asyncio.sleep(0.01)


async def _ask_again(sock: socket.socket, token: bytes) -> Sighting:
    """Send `token` until it is answered: a datagram has no retransmission of its own."""
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(sock, token)
        try:
            async with asyncio.timeout(_RESEND):
                return Sighting.decode(await loop.sock_recv(sock, LARGEST))
        except TimeoutError:
            continue


def _judge(probe: Reach, answer: Sighting | str) -> Seen:
    match (probe.expect, answer):
        case (_, Lost()):
            return Seen(False, str(answer))
        case (None, str(nothing)):
            return Seen(True, nothing)
        case (None, Sighting(server, client)):
            return Seen(False, f"{server} saw {client}")
        case (Arrives(), str(nothing)):
            return Seen(False, nothing)
        case (Arrives(clients, most) as expected, Sighting(server, client, told)):
            welcome = expected.welcomes(client) if clients else client != probe.server.address
            right = server in map(str, probe.servers)
            if most is not None and told > most:
                return Seen(False, f"{server} saw {client}, and segments of {told} bytes")
            return Seen(right and welcome, f"{server} saw {client}")
        case _:
            raise AssertionError(answer)


def _patience(probe: Reach) -> float:
    return BRIEF if probe.expect is None else PATIENCE


def _reason(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    return os.strerror(error.errno).lower() if error.errno else str(error)
