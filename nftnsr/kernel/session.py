"""The ssh session, if any, in which this process runs, by its TCP connection."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from attrs import frozen

_PROC = Path("/proc")
_ESTABLISHED = "01"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@frozen
class Session:
    """The two ends of a TCP connection, seen from this host."""

    client: IPv4Address | IPv6Address
    client_port: int
    server: IPv4Address | IPv6Address
    server_port: int


def current(environment: Mapping[str, str] = os.environ) -> Session | None:
    """The session that this process belongs to, or None where it was not started over ssh.

    sshd tells it in SSH_CONNECTION (ssh(1)); sudo takes that away, so else it is the connection
    that an sshd among our ancestors holds.
    """
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) == 4:
        try:
            return Session(_plain(words[0]), int(words[1]), _plain(words[2]), int(words[3]))
        except ValueError:
            return None
    for pid in _ancestors(os.getpid()):
        if _name(pid).startswith("sshd"):
            for inode in _sockets(pid):
                if session := _connection(pid, inode):
                    return session
    return None


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        # The name in parentheses may hold anything, so what follows is read from the right.
        fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
        pid = int(fields[1]) if fields else 0


def _name(pid: int) -> str:
    return _text(_PROC / str(pid) / "comm").strip()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _sockets(pid: int) -> Iterator[str]:
    try:
        descriptors = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            found = _SOCKET.fullmatch(str(descriptor.readlink()))
        except OSError:
            continue
        if found:
            yield found[1]


def _connection(pid: int, inode: str) -> Session | None:
    for table in ("tcp", "tcp6"):
        for line in _text(_PROC / str(pid) / "net" / table).splitlines()[1:]:
            words = line.split()
            if words[9] == inode and words[3] == _ESTABLISHED:
                server, server_port = _end(words[1])
                client, client_port = _end(words[2])
                return Session(client, client_port, server, server_port)
    return None


def _end(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """`0100007F:0016`: each 32-bit word of the address in the machine's byte order (proc(5))."""
    address, _, port = text.partition(":")
    words = (int(address[i : i + 8], 16) for i in range(0, len(address), 8))
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return _plain(str(ip_address(raw))), int(port, 16)


def _plain(text: str) -> IPv4Address | IPv6Address:
    """An address without zone; an IPv4 one that came in by an IPv6 socket as IPv4."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
