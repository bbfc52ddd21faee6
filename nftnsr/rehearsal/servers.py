"""Echo servers at every address that packets should, or should not, get to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from attrs import frozen

from nftnsr.kernel.errors import KernelError
from nftnsr.rehearsal import sockets
from nftnsr.rehearsal.packets import opening_segment
from nftnsr.rehearsal.probes import BULK, Server, endpoint
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Address

LARGEST = 512


@frozen
class Sighting:
    """What a server says: who it is, whom it sees, and the segments of TCP it was told of."""

    server: str
    client: Address
    segment: int = 0

    def encode(self) -> bytes:
        return f"{self.server} {self.client} {self.segment}".encode()

    @classmethod
    def decode(cls, text: bytes) -> Sighting:
        server, client, segment = text.decode().split()
        return cls(server, ip_address(client), int(segment))


class Servers:
    """All servers of a world, in the running event loop; open until the `with` ends."""

    def __init__(self, world: World, servers: Iterable[Server]) -> None:
        self._world = world
        self._wanted = tuple(dict.fromkeys(servers))
        self._sockets: list[socket.socket] = []
        self._talks: set[asyncio.Task[None]] = set()
        self.arrived: dict[bytes, Sighting] = {}
        """What got to a UDP server, by the token in it, whether or not the answer got back."""
        self.opened: set[tuple[Address, int, Address, int]] = set()
        """Source and destination of every TCP segment that came to open a connection."""

    async def __aenter__(self) -> Servers:
        loop = asyncio.get_running_loop()
        try:
            for server in self._wanted:
                sock = self._open(server)
                receive = self._accept if server.protocol == "tcp" else self._answer
                loop.add_reader(sock, receive, sock, str(server))
            places = {(s.place, s.address.version) for s in self._wanted if s.protocol == "tcp"}
            for place, version in places:
                sock = sockets.tap(self._world.room(place), version)
                self._sockets.append(sock)
                loop.add_reader(sock, self._note, sock, version)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _open(self, server: Server) -> socket.socket:
        room = self._world.room(server.place)
        try:
            sock = sockets.server(room, server.protocol, server.address, server.port)
        except OSError as error:
            where = f"{server.protocol} {endpoint(server.address, server.port)}"
            raise KernelError(f"cannot listen on {where}: {error.strerror}") from error
        self._sockets.append(sock)
        return sock

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        for talk in self._talks:
            talk.cancel()

    def _accept(self, sock: socket.socket, name: str) -> None:
        while True:
            try:
                connection, peer = sock.accept()
            except OSError:
                return
            sighting = Sighting(name, ip_address(peer[0]), sockets.told_segment(connection))
            talk = asyncio.get_running_loop().create_task(_converse(connection, sighting))
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)

    def _note(self, sock: socket.socket, version: int) -> None:
        while True:
            try:
                packet, beside, _, peer = sock.recvmsg(LARGEST, 64)
            except OSError:
                return
            pktinfo = next((data for *_, data in beside), b"")
            if (segment := opening_segment(version, packet, pktinfo, peer[0])) is not None:
                self.opened.add(segment)

    def _answer(self, sock: socket.socket, name: str) -> None:
        while True:
            try:
                token, peer = sock.recvfrom(LARGEST)
            except OSError:
                return
            sighting = Sighting(name, ip_address(peer[0]))
            self.arrived[token] = sighting
            try:
                sock.sendto(sighting.encode(), peer)
            except OSError:
                # No way back; that it arrived is on record.
                continue


async def _converse(connection: socket.socket, sighting: Sighting) -> None:
    """Say who is seen, and give back as much as is sent then."""
    loop, size = asyncio.get_running_loop(), 0
    connection.setblocking(False)
    with connection, suppress(OSError):
        await loop.sock_sendall(connection, sighting.encode())
        while data := await loop.sock_recv(connection, BULK):
            size += len(data)
        await loop.sock_sendall(connection, bytes(size))
