"""A re-apply changes what differs and nothing else: no packet notices it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from attrs import define, field

from nftnsr.kernel.generation import generation
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import World
from nftnsr.spec import parse
from nftnsr.state import operations as op
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE, sh

ONE = parse(ARTICLE, "one.toml")
TWO = parse(ARTICLE.replace('"22/tcp"', '"22/tcp", "8080/tcp -> 192.168.158.9:80"'), "two.toml")
_REAPPLIES = 200


@pytest.fixture
def world(box: None) -> Iterator[World]:
    with World(ONE) as world, Machine() as machine:
        apply_spec(machine, ONE)
        yield world


def test_one_forward_more_is_one_element_more(world: World) -> None:
    outside = world.internet.run(socket.socket)
    with world.host.run(socket.create_server, ("192.168.158.2", 22)), outside:
        outside.connect(("1.2.3.4", 22))
    with Machine() as machine, Room.named("ens3") as router:
        before = {(c[0], c[1]): c for c in machine.counters("ens3")}
        assert before["forward_ipv4", "tcp . 22"][3] == 1
        number = router.run(generation)
        outcome = apply_spec(machine, TWO)
        element = "{ tcp . 8080 : 192.168.158.9 . 80 }"
        loads = [o for o in outcome.operations if isinstance(o, op.LoadRuleset)]
        assert loads == [
            op.LoadRuleset("ens3", f"add element inet nftnsr forward_ipv4 {element}\n")
        ]
        others = [o for o in outcome.operations if not isinstance(o, op.LoadRuleset)]
        assert all(isinstance(o, op.ForgetFlows) for o in others)
        assert router.run(generation) == number + 1
        after = {(c[0], c[1]): c for c in machine.counters("ens3")}
        assert after["forward_ipv4", "tcp . 22"] == before["forward_ipv4", "tcp . 22"]


def test_apply_of_what_is_there_is_no_commit(world: World) -> None:
    with Machine() as machine, Room.named("ens3") as router:
        number = router.run(generation)
        assert apply_spec(machine, ONE).operations == ()
        assert router.run(generation) == number


@define
class Disturbed(Machine):
    """A machine on which somebody else changes the ruleset just before we do, so many times."""

    command: str = ""
    times: int = 1

    def perform(self, operation: op.Operation) -> None:
        if isinstance(operation, op.LoadRuleset) and self.times > 0:
            self.times -= 1
            sh(f"ip netns exec ens3 nft '{self.command}'")
        Machine.perform(self, operation)


def test_change_by_somebody_else_in_between_is_seen_and_planned_for(world: World) -> None:
    """Blindly flushed and refilled, the chain would still be there; the table would not."""
    with Disturbed(command="flush table inet nftnsr", times=3) as machine:
        outcome = apply_spec(machine, TWO)
        assert [type(o) for o in outcome.operations].count(op.LoadRuleset) == 1
        assert apply_spec(machine, TWO).operations == ()
    with Disturbed(command="delete table inet nftnsr") as machine:
        apply_spec(machine, ONE)
        assert machine.times == 0
        assert apply_spec(machine, ONE).operations == ()


@define
class Flood:
    """Datagrams from the host to the internet, each a flow of its own; the far end counts them."""

    world: World
    sent: int = 0
    seen: dict[str, int] = field(factory=dict)
    _stop: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def __enter__(self) -> Flood:
        far = self.world.internet.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        # SO_RCVBUFFORCE: what is lost shall be lost on the way, not here.
        far.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        with self.world.internet.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("1.2.3.4", 9))
            far.bind((probe.getsockname()[0], 7777))
        far.settimeout(1)
        for target in (self._send, self._receive):
            self._threads.append(threading.Thread(target=target, args=(far,)))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, far: socket.socket) -> None:
        there = far.getsockname()
        while not self._stop.wait(0.0005):
            with self.world.host.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as near:
                near.sendto(b"?", there)
                self.sent += 1

    def _receive(self, far: socket.socket) -> None:
        with far:
            while True:
                try:
                    _, (source, _) = far.recvfrom(16)
                except TimeoutError:
                    if self._stop.is_set():
                        return
                else:
                    self.seen[source] = self.seen.get(source, 0) + 1


def test_reapplies_under_a_flood_lose_no_packet_and_let_none_out_untranslated(
    world: World,
) -> None:
    # Rules and elements change each time: the chains are flushed and refilled in place.
    plain = ARTICLE.replace("forward ", "hairpin = false\nforward ")
    other = parse(plain.replace('"22/tcp"', '"23/tcp", "30000-30100/udp"'), "other.toml")
    with Flood(world) as flood, Machine() as machine:
        for number in range(_REAPPLIES):
            outcome = apply_spec(machine, other if number % 2 == 0 else ONE)
            assert any(isinstance(o, op.LoadRuleset) for o in outcome.operations)
    assert flood.sent > _REAPPLIES
    assert flood.seen == {"1.2.3.4": flood.sent}
    assert world.leaked("ens3") == {}
