"""The world of a rehearsal: everybody in a namespace of their own.

None has a name but those that stand for somebody else's, which a spec speaks of by their names.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from nftnsr.kernel import conntrack, wires
from nftnsr.kernel.namespaces import Room, attach, delete, names
from nftnsr.rehearsal import border, furnish, twin
from nftnsr.rehearsal.scene import (
    ELSEWHERE,
    HOST,
    INTERNET,
    Inner,
    Place,
    Scene,
    Segment,
    far_place,
)
from nftnsr.rehearsal.staging import Unstaged, stage
from nftnsr.rehearsal.wiring import LAN, UPLINK_PORT, WIDE, Wire, free_link_names, wire
from nftnsr.spec.model import Address, Network, Spec
from nftnsr.spec.model import Inner as InnerLink
from nftnsr.state.model import Link, Namespace


class World:
    """Provider, internet and the twin of a host, around the calling thread's namespace.

        with World(spec) as world:
            apply(spec)
            results = probe(world)

    The twin begins as `start` says, which is the spec itself where nothing else is given; or as
    the host is that `live` shows.

    The namespace of the calling thread (or of `host`, a room elsewhere) becomes the twin: it gets
    the uplinks of the spec, so call this in a throw-away one. A room also runs real programs:
    `world.internet.run(subprocess.Popen, ["curl", ...])`.
    """

    def __init__(
        self,
        spec: Spec,
        host: Room | None = None,
        *,
        start: Spec | None = None,
        live: Namespace | None = None,
    ) -> None:
        self.scene: Scene = stage(spec, live)
        self.unlike: tuple[str, ...] = ()
        """What of `live` the twin has not got, with the reasons."""
        self._live = live
        self._everybody = self.scene
        self._start = self.scene if start is None else self.scene.seen_by(start)
        self._rooms: dict[Place, Room] = {}
        self._stack = ExitStack()
        self._host = host

    def __enter__(self) -> World:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def host(self) -> Room:
        return self._rooms[HOST]

    @property
    def internet(self) -> Room:
        return self._rooms[INTERNET]

    def gateway(self, router: str) -> Room:
        """The provider's router on the segment of `router`'s uplink."""
        return self._rooms[self._segment(router).gateway]

    def neighbour(self, router: str) -> Room:
        """Somebody on the segment of `router`'s uplink."""
        return self._rooms[self._segment(router).neighbour]

    def inner(self, network: Network) -> Room:
        """The host that has all addresses of a network behind the host."""
        return self._rooms[next(i.place for i in self.scene.inner if i.network == network)]

    def room(self, place: Place) -> Room:
        return self._rooms[place]

    def turn_to(self, spec: Spec) -> None:
        """From now on it is `spec` that is to hold; it names nobody whom this world does not have.

        The provider knows of it: what it sends to a router, and lets out of it, is as `spec` says.
        """
        self.scene = self._everybody.seen_by(spec)
        for segment in self.scene.segments:
            self.room(segment.gateway).run(furnish.provide, segment)

    def let_out_either(self) -> None:
        """Until it turns to one of them again, the provider lets out what any spec of both does."""
        for segment in self._everybody.segments:
            self.room(segment.gateway).run(border.guard, segment)

    def leaked(self, router: str) -> dict[Address, int]:
        """The sources that should never have left by `router`'s uplink, with packet counts."""
        return self.gateway(router).run(border.leaked)

    def carrier(self, segment: str, *, on: bool) -> None:
        """Take an uplink's cable out at the provider's end, or put it in again."""
        self.gateway(segment).run(furnish.set_up, UPLINK_PORT, up=on)

    def forget_flows(self, router: str) -> None:
        """Let a router, if it is there, lose what connection tracking knows."""
        self.host.run(_forget_flows, router)

    def enter_routers(self) -> None:
        """Open a room in every router of which anything itself is tried, once it is there."""
        for segment in self.scene.segments:
            router = segment.router
            known = segment.itself in self._rooms
            if router.filter.input is not None and router.name in names() and not known:
                room = self._stack.enter_context(Room.named(router.name))
                self._rooms[segment.itself] = room

    def answer_through_other_routers(self) -> None:
        """Give the far ends, once a spec is applied, the routes that a router needs which is not
        their default one.
        """
        routers = self.scene.spec.routers
        links = [(router, link) for router in routers for link in router.links]
        for number, (router, link) in enumerate(links):
            if not link.default_route and link.table is None:
                networks = [i.network for i in self.scene.behind(router)]
                networks = [n for n in networks if n in link.networks]
                self.room(far_place(link)).run(furnish.answer_through, link, number, networks)

    def _segment(self, router: str) -> Segment:
        return next(s for s in self.scene.segments if s.name == router)

    def _build(self) -> None:
        scene = self.scene
        self._rooms[HOST] = self._host or self._stack.enter_context(Room.here())
        if self._live is not None:
            self._refuse_absent(self._live)
            self.host.run(twin.settle, self._live)
        self._open(INTERNET, forwarding=False)
        for segment in scene.segments:
            self._provider(segment)
        self.internet.run(furnish.internet, scene)
        self._namespaces()
        placed = self._inner_hosts()
        inner = placed.pop(HOST, [])
        for place, link in self._ends.items():
            self.room(place).run(furnish.far_end, scene, link, placed.get(place, []))
        if self._live is not None:
            self._stand_ins(self._live, 4 * len(scene.segments) + len(scene.inner + scene.stray))
            self.unlike = self.host.run(furnish.live_host, scene, self._live, inner)
        else:
            self.host.run(furnish.host, scene, self._start.segments, inner)

    def _refuse_absent(self, live: Namespace) -> None:
        for name in twin.absent(live, self._start.segments):
            there = ", ".join(sorted(i.name for i in live.items if isinstance(i, Link)))
            raise Unstaged(
                f"there is no interface {name} on this host; there are: {there or 'none'}"
            )

    def _stand_ins(self, live: Namespace, number: int) -> None:
        """The host's other links, each with an end at which nobody answers."""
        links = twin.stand_ins(live, self.scene)
        room = self._open(ELSEWHERE, forwarding=False) if links else self.host
        for at, link in enumerate(links, number):
            each = wire(at, link.name, f"{LAN}{at}", link.mac)
            self._plug(each, self.host, room)
            room.run(_set_mtu, each.far.link, link.mtu)

    def _provider(self, segment: Segment) -> None:
        gateway = self._open(segment.gateway, forwarding=True)
        neighbour = self._open(segment.neighbour, forwarding=False)
        self._plug(segment.uplink_wire, self.host, gateway)
        there = None if self._live is None else self._live.link(segment.uplink_wire.near.link)
        mtu = segment.uplink.mtu if there is None else there.mtu
        # A segment has one MTU: veth drops what is larger than the other end's.
        if mtu is not None:
            gateway.run(_set_mtu, segment.uplink_wire.far.link, mtu)
        self._plug(segment.wan_wire, gateway, self.internet)
        self._plug(segment.neighbour_wire, neighbour, gateway)
        if self.scene.clamps:
            self._widen(segment.wan_wire, gateway, self.internet)
        neighbour.run(furnish.neighbour, segment)
        gateway.run(furnish.gateway, segment, self.scene)

    def _namespaces(self) -> None:
        """The twins of others' namespaces, which must have their names before the first apply."""
        for place, link in self._ends.items():
            assert link.namespace is not None
            attach(link.namespace, self._open(place, forwarding=True))
            self._stack.callback(delete, link.namespace)

    @property
    def _ends(self) -> dict[Place, InnerLink]:
        links = [link for router in self.scene.spec.routers for link in router.inner]
        return {far_place(link): link for link in links if link.namespace is not None}

    def _inner_hosts(self) -> dict[Place, list[tuple[Inner, Wire]]]:
        """Those behind each place, with the wires to them."""
        everybody = (*self.scene.inner, *self.scene.stray)
        base = 4 * len(self.scene.segments)
        items = () if self._live is None else self._live.items
        taken = [i.name for i in items if isinstance(i, Link)]
        names = free_link_names(self.scene.spec, len(everybody), taken)
        placed: dict[Place, list[tuple[Inner, Wire]]] = {}
        for number, (inner, name) in enumerate(zip(everybody, names, strict=True), base):
            each = wire(number, name, LAN)
            room = self._open(inner.place, forwarding=False)
            near = self.room(inner.behind)
            self._plug(each, near, room)
            if self.scene.clamps:
                self._widen(each, near, room)
            room.run(furnish.inner_host, inner, each)
            placed.setdefault(inner.behind, []).append((inner, each))
        return placed

    def _widen(self, wire: Wire, near: Room, far: Room) -> None:
        near.run(_set_mtu, wire.near.link, WIDE)
        far.run(_set_mtu, wire.far.link, WIDE)

    def _open(self, place: Place, *, forwarding: bool) -> Room:
        room = self._stack.enter_context(Room.scratch())
        self._rooms[place] = room
        room.run(furnish.empty_room, forwarding=forwarding)
        return room

    def _plug(self, wire: Wire, near: Room, far: Room) -> None:
        descriptor = far.descriptor()
        try:
            near.run(wires.add_wire, wire.near.as_link, wire.far.as_link, wire.number, descriptor)
        finally:
            os.close(descriptor)
        # Deleting one end takes the other along at once, wherever it has been moved to; left to
        # the end of the namespace, that would happen at some later time. The far one stays where
        # it is: the near one is a host's, who may move it.
        self._stack.callback(far.run, _delete, wire.far.link)


def _forget_flows(router: str) -> None:
    if router in names():
        with Room.named(router) as room:
            room.run(conntrack.forget_everything)


def _set_mtu(link: str, mtu: int | None) -> None:
    with wires.rtnetlink() as rtnl:
        rtnl.set_link(Link(link, mtu=mtu))
        rtnl.set_up(link, up=True)


def _delete(link: str) -> None:
    with wires.rtnetlink() as rtnl:
        rtnl.delete_link(link)
