"""Forwards with a SYN proxy: that there is TCP to answer, and no helper that would not see it."""

from __future__ import annotations

from collections.abc import Iterator

from ..draft import At, RouterDraft
from ..model import HELPER_PORTS, Forward
from ..problems import Fault
from ..words import quoted


def faults(router: RouterDraft) -> Iterator[Fault]:
    for item in router.forward:
        if item.value.synproxy:
            yield from _of_no_use(item)
            yield from _unseen(router, item)


def _of_no_use(item: At[Forward]) -> Iterator[Fault]:
    if "tcp" not in item.value.protocols:
        message = "`synproxy` is of no use: it answers TCP"
        yield Fault((*item.path, "synproxy"), message, "leave it out")


def _unseen(router: RouterDraft, item: At[Forward]) -> Iterator[Fault]:
    """A helper is set when a connection comes in, and what a SYN proxy begins goes out."""
    ports = [*item.value.ports, *(t.ports for t in item.value.targets if t.ports is not None)]
    for helper in router.helpers:
        for protocol, port in HELPER_PORTS[helper.value]:
            if protocol == "tcp" and any(port in each for each in ports):
                message = f"helper {quoted(helper.value)} does not see what `synproxy` begins"
                hint = "leave out one of them"
                yield Fault((*item.path, "synproxy"), message, hint, also=helper.path)
