"""The few rtnetlink requests that a rehearsal makes to build a world, and an apply never does."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.state.model import Link, Network_

_FIRST_INDEX = 100_000


@contextmanager
def rtnetlink() -> Iterator[Rtnetlink]:
    """The links and routes of the namespace of the calling thread, in which it must stay."""
    handle = Rtnetlink()
    try:
        yield handle
    finally:
        handle.close()


def add_wire(near: Link, far: Link, number: int, far_namespace: int) -> None:
    """Make a veth pair, its far end in the namespace behind a file descriptor.

    No two of one world have the same `number`.
    """
    with _request(f"cannot make the wire {near.name}") as ip:
        # A link whose index equals its peer's counts as one without a peer: then the kernel takes
        # up to a second to see its carrier, and as long there is no IPv6 on it.
        index = _FIRST_INDEX + number
        peer = {"ifname": far.name, "address": far.mac, "net_ns_fd": far_namespace}
        ip.link("add", kind="veth", peer=peer, ifname=near.name, address=near.mac, index=index)


def add_bridge(name: str, ports: tuple[str, ...]) -> None:
    """Make a bridge, up, with `ports`, which are set up first."""
    with _request(f"cannot make the bridge {name}") as ip:
        ip.link("add", ifname=name, kind="bridge", br_mcast_snooping=0)
        index = _index(ip, name)
        for port in ports:
            ip.link("set", index=_index(ip, port), master=index, state="up")
        ip.link("set", index=index, state="up")


def add_rule(source: Network_, table: int) -> None:
    """Let what comes from `source` be routed by `table`, if it is not yet."""
    with _request(f"cannot add a rule for {source}") as ip:
        family = {4: 2, 6: 10}[source.version]
        try:
            ip.rule(
                "add", family=family, table=table, priority=table,
                src=str(source.network_address), src_len=source.prefixlen,
            )  # fmt: skip
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise


@contextmanager
def _request(what: str) -> Iterator[Any]:
    with IPRoute(ext_ack=True, strict_check=True) as ip:
        try:
            yield ip
        except NetlinkError as error:
            reason = error.args[1] if len(error.args) > 1 else os.strerror(error.code)
            # So ends a kind of link whose module could not be loaded.
            unknown = error.code == errno.EOPNOTSUPP
            hint = "load the kernel's modules veth and bridge, as root" if unknown else None
            raise KernelError(f"{what}: {reason}", hint) from error


def _index(ip: Any, name: str) -> int:
    return int(next(iter(ip.get_links(ifname=name)))["index"])
