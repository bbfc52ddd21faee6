"""What a re-apply lets through untranslated, or loses, under a flood of new flows."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.bench.actors import Actor
from tests.bench.measure import progress, run
from tests.bench.rivals import iptables_again, iptables_rule, nft_anew
from tests.bench.table import Row, Table, rows
from tests.bench.world import (
    GATEWAY,
    PROVIDER,
    PUBLIC,
    ROUTER,
    applied,
    compiled,
    forward,
    in_namespace,
    sh,
    spec,
)

_SINK = 9999
_PER_SECOND = 10000
_SPECS = (Path("/run/bench/one.toml"), Path("/run/bench/other.toml"))
_NUMBER = struct.Struct("!Q")


def tables(quick: bool) -> Iterator[Table]:
    count, rounds = (20, 2) if quick else (200, 5)
    one = spec([forward(22)], path=_SPECS[0])
    # Other elements, and other rules around the one that masquerades.
    other = spec([forward(22), forward(2222)], hairpin=False, path=_SPECS[1])
    rulesets = tuple(nft_anew(compiled(file)) for file in (one, other))
    rules = tuple(tuple(map(iptables_rule, ports)) for ports in ((22,), (22, 2222)))
    scripts = tuple(iptables_again(*each) for each in rules)
    ways: dict[str, tuple[Callable[[], None], Callable[[int], int]]] = {
        "no re-apply": (_nothing, _wait),
        "nftnsr": (_nothing, _ours),
        "nft -f, table made anew": (_nothing, lambda n: _load(rulesets, n)),
        "iptables -F, -A": (_empty, lambda n: _shell(scripts, n)),
    }
    results: dict[str, list[_Count]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, (prepare, reapply) in ways.items():
            progress(f"flood: {name}, round {number + 1} of {rounds}")
            results[name].append(_measure(prepare, reapply, count))
    progress("")
    counts = results.items()
    yield Table(
        f"untranslated packets in {count} re-applies",
        "packets",
        tuple(_row(name, each, [c.untranslated for c in each]) for name, each in counts),
        remark=f"New UDP flows of pods, {_PER_SECOND} a second; private sources at the far end.",
    )
    yield Table(
        f"lost packets in {count} re-applies",
        "packets",
        tuple(_row(name, each, [c.lost for c in each]) for name, each in counts),
    )
    yield Table(
        "one re-apply under flood",
        "ms",
        rows({name: [c.seconds / count for c in each] for name, each in counts}, 1000),
        remark="nftnsr again and again in one process, without its start-up.",
    )


class _Count:
    """What became of the packets of one flood."""

    def __init__(self, sent: int, received: int, untranslated: int, full: int) -> None:
        self.sent = sent
        self.untranslated = untranslated
        # What the sink itself had no room for was not lost by the router.
        self.lost = sent - received - full
        self.seconds = 0.0
        self.failed = 0


def _row(name: str, counts: list[_Count], packets: list[int]) -> Row:
    note = f"{sum(packets):,} of {sum(c.sent for c in counts):,} in all"
    if failed := sum(c.failed for c in counts):
        note += f"; {failed} re-applies failed"
    return Row(name, tuple(packets), note)


def _nothing() -> None:
    pass


def _empty() -> None:
    run(*in_namespace(ROUTER, "nft", "flush", "ruleset"))
    _shell((iptables_again(),), 1)


def _measure(prepare: Callable[[], None], reapply: Callable[[int], int], count: int) -> _Count:
    with applied(forward(22)):
        # Flows end before their source ports come round again.
        sh(f"ip netns exec {ROUTER} sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2")
        prepare()
        with Actor(PROVIDER, _receive) as sink, Actor(None, _send) as source:
            time.sleep(0.2)
            start = time.perf_counter()
            failed = reapply(count)
            seconds = time.perf_counter() - start
            time.sleep(0.2)
            sent = source.result()
            time.sleep(0.3)
            result = _Count(sent, *sink.result())
    result.seconds = seconds
    result.failed = failed
    return result


def _wait(count: int) -> int:
    time.sleep(count / 100)
    return 0


def _ours(count: int) -> int:
    failed: int = Actor(None, _apply_in_turns, count).wait()
    return failed


def _apply_in_turns(ready: Callable[[], None], _: Event, count: int) -> int:
    """The whole command again and again, in one process: start-up would only thin them out."""
    from nftnsr.cli import main

    ready()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        done = [main(["apply", "--quiet", str(_SPECS[(n + 1) % 2])]) for n in range(count)]
    return sum(status != 0 for status in done)


def _load(rulesets: tuple[str, ...], count: int) -> int:
    for number in range(count):
        run(*in_namespace(ROUTER, "nft", "-f", "-"), text=rulesets[(number + 1) % 2])
    return 0


def _shell(scripts: tuple[str, ...], count: int) -> int:
    for number in range(count):
        run(*in_namespace(ROUTER, "bash", "-e"), text=scripts[(number + 1) % len(scripts)])
    return 0


def _send(ready: Callable[[], None], stop: Event) -> int:
    """Send numbered datagrams of pods, each of a new source port, until told to stop."""
    burst = _PER_SECOND // 1000
    packet = bytearray(_datagram())
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        ready()
        due = time.perf_counter()
        while not stop.is_set():
            for _ in range(burst):
                turns, port = divmod(sent, 60000)
                packet[15] = 1 + turns % 250
                packet[20:22] = (1024 + port).to_bytes(2, "big")
                _NUMBER.pack_into(packet, 28, sent)
                raw.sendto(packet, (GATEWAY, 0))
                sent += 1
            # After a delay it goes on at the same pace, without catching up.
            due = max(due + 0.001, time.perf_counter() - 0.001)
            time.sleep(max(0.0, due - time.perf_counter()))
    return sent


def _datagram() -> bytes:
    """An IPv4 packet from 10.42.0.1 without checksums: the kernel makes one, UDP needs none."""
    addresses = socket.inet_aton("10.42.0.1") + socket.inet_aton(GATEWAY)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 36, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    return ip + struct.pack("!HHHHQ", 1024, _SINK, 16, 0, 0)


def _receive(ready: Callable[[], None], stop: Event) -> tuple[int, int, int]:
    """Count datagrams, those not from the public address, and those that found no room."""
    received = untranslated = 0
    buffer = bytearray(64)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        # SO_RCVBUFFORCE, which goes past net.core.rmem_max.
        sink.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        sink.bind((GATEWAY, _SINK))
        sink.settimeout(0.1)
        ready()
        while not stop.is_set():
            try:
                for _ in range(256):
                    _, (address, _port) = sink.recvfrom_into(buffer)
                    received += 1
                    untranslated += address != PUBLIC
            except TimeoutError:
                continue
    return received, untranslated, _no_room()


def _no_room() -> int:
    lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(dict(zip(names, values, strict=True))["RcvbufErrors"])
