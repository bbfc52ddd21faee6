"""What the kernel does with a packet that was traced, in a world of throw-away namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal.asked import Asked
from nftnsr.rehearsal.frames import Far, Links
from nftnsr.rehearsal.rehearse import Apply, Send, in_child
from nftnsr.rehearsal.sockets import mac_of
from nftnsr.rehearsal.wiring import UPLINK_PORT
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Spec
from nftnsr.trace import Trace, Way
from nftnsr.trace.journey import Journey
from nftnsr.trace.packet import answer_to


def trace_live(spec: Spec, trace: Trace, apply: Apply) -> Way:
    """The way that the packet of `trace` takes once `spec` is applied; it has one at least."""
    if trace.arrival.packet.protocol == "sctp":
        raise KernelError(
            "an SCTP packet cannot be sent", "leave out --live, or ask for tcp or udp"
        )
    if any("synproxy" in (step.rule or "") for way in trace.ways for step in way.there.steps):
        raise KernelError(
            "a SYN proxy lets nothing through before a whole handshake, and one packet is none",
            "ask without --live; nftnsr rehearse tries the forward with whole connections",
        )
    way = in_child(lambda send: _perform(spec, trace, apply, send))
    assert isinstance(way, Way)
    return way


def _perform(spec: Spec, trace: Trace, apply: Apply, send: Send) -> None:
    router = trace.router
    with ExitStack() as stack:
        world = stack.enter_context(World(spec))
        apply(spec)
        room = stack.enter_context(Room.named(router.name))
        links = stack.enter_context(Links(dict(_far_ends(world, trace, room, stack))))
        kernel = Asked(router, room, links)
        for way in trace.ways:
            for journey in filter(None, (way.there, way.back)):
                if journey.ending == "leaves":
                    kernel.knows(journey.last)
        there, seen = kernel.journey(trace.arrival.packet)
        back: Journey | None = None
        if seen is not None and there.ending == "leaves":
            back, _ = kernel.journey(answer_to(there.last), echo=seen.echo)
        send(Way(there, back, trace.ways[0].listens))


def _far_ends(
    world: World, trace: Trace, router: Room, stack: ExitStack
) -> Iterator[tuple[str, Far]]:
    for segment in world.scene.segments:
        if segment.router == trace.router:
            dev = segment.uplink.dev
            yield dev, Far(world.room(segment.gateway), UPLINK_PORT, mac_of(router, dev))
    for link in trace.router.links:
        room = world.host
        if link.namespace is not None:
            room = stack.enter_context(Room.named(link.namespace))
        yield link.peer, Far(room, link.interface, mac_of(router, link.peer))
