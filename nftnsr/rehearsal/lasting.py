"""Flows that go on while the router forgets them: what is said then belongs to no connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from contextlib import ExitStack, suppress

from attrs import frozen

from nftnsr.rehearsal import packets, sockets
from nftnsr.rehearsal.probes import Leak
from nftnsr.rehearsal.scene import Client
from nftnsr.rehearsal.servers import LARGEST
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Protocol

_PATIENCE = 0.4
"""For an answer: who may not go out has no flow."""


@frozen
class Lasting:
    """A flow of somebody behind the router to the far end of a probe."""

    sender: Client
    protocol: Protocol
    socket: socket.socket


async def begin(world: World, probe: Leak, opened: ExitStack) -> Collection[Lasting]:
    """A flow of each sender in each protocol, as far as it gets an answer."""
    protocols: tuple[Protocol, ...] = ("tcp", "udp")
    tries = (
        _begin(world, probe, sender, protocol, opened)
        for sender in probe.senders
        for protocol in protocols
    )
    return [flow for flow in await asyncio.gather(*tries) if flow is not None]


async def _begin(
    world: World, probe: Leak, sender: Client, protocol: Protocol, opened: ExitStack
) -> Lasting | None:
    loop, room = asyncio.get_running_loop(), world.room(sender.place)
    sock = opened.enter_context(sockets.client(room, 4, protocol, sender.address))
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await loop.sock_connect(sock, (str(probe.address), probe.port))
            if protocol == "udp":
                await loop.sock_sendall(sock, b"lasting")
            await loop.sock_recv(sock, LARGEST)
            return Lasting(sender, protocol, sock)
    return None


def say(world: World, probe: Leak, flows: Collection[Lasting]) -> None:
    """Let every flow go on, and everybody send what belongs to no flow."""
    for flow in flows:
        with suppress(OSError):
            flow.socket.send(b"lasting")
    for sender in probe.senders:
        strays = list(packets.stray_packets(sender.address, probe.address))
        for flow in flows:
            if flow.protocol == "udp" and flow.sender == sender:
                port = flow.socket.getsockname()[1]
                strays.append(
                    packets.port_unreachable(sender.address, probe.address, port, probe.port)
                )
        room = world.room(sender.place)
        sockets.send_raw(room, sender.address, probe.address, tuple(strays))
