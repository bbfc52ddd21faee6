"""The options of changing commands: how long to wait, what to prove, when to confirm."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from argparse import Namespace as Options
from collections.abc import Iterator
from contextlib import contextmanager

from nftnsr.commands.console import Console

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|min|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, None: 1.0}


def duration(text: str) -> float:
    """Seconds of `30`, `30s`, `2m`, `500ms`, `1h`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f'"{text}" is no duration; write 30s, 2m or 500ms')
    return float(match[1]) * _SECONDS[match[2]]


def endpoint(text: str) -> tuple[str, int]:
    """Host and port of `192.0.2.1:443`, `example.org:443` or `[2001:db8::1]:443`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ArgumentTypeError(f'"{text}" is not HOST:PORT')
    return host, int(port)


def period(text: str) -> float:
    """A duration of which something is to be done once in each."""
    if not (seconds := duration(text)):
        raise ArgumentTypeError(f'"{text}" is no time at all')
    return seconds


def frequency(text: str) -> tuple[int, float]:
    """How often, in how many seconds, of `10/10m`."""
    times, slash, within = text.partition("/")
    if not (slash and times.isdecimal() and int(times) and duration(within)):
        raise ArgumentTypeError(f'"{text}" is not how often in what time; write 10/10m')
    return int(times), duration(within)


def add_watch(parser: ArgumentParser) -> None:
    parser.add_argument("--heal", action="store_true", help="put drift right, as `apply` would")
    parser.add_argument(
        "--limit", type=frequency, default=(10, 600.0), metavar="10/10m",
        help="give up a router that was healed so often in this time (10/10m)",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=period, default=300.0, metavar="5m",
        help="look so often for what the kernel gives no notice of: proxied neighbours (5m)",
    )  # fmt: skip


def add_wait(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=duration, default=0.0, metavar="30s",
        help="wait so long for another nftnsr that is changing this machine",
    )  # fmt: skip


def add_terms(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--confirm", type=duration, metavar="60s",
        help="undo everything unless `nftnsr confirm` is run within this time",
    )  # fmt: skip
    parser.add_argument(
        "--check", action="append", default=[], metavar="COMMAND",
        help="run this shell command afterwards, and undo everything if it fails",
    )  # fmt: skip
    parser.add_argument(
        "--confirm-by-connect", action="append", default=[], type=endpoint, metavar="HOST:PORT",
        help="connect there afterwards, and undo everything if that fails",
    )  # fmt: skip


@contextmanager
def locked(options: Options, console: Console) -> Iterator[None]:
    """Hold the lock, waiting for it as long as --wait says."""
    from nftnsr.transaction.lock import lock

    def tell(holder: str) -> None:
        console.warn(f"nftnsr: waiting up to {options.wait:.0f} s for pid {holder}")

    with lock(options.wait, tell):
        yield
