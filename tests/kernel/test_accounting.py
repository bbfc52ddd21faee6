"""`counters = true`: the packets and bytes of each forward, and of nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nftnsr.kernel.generation import generation
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import World
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state import operations as op
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE

_HOST4, _HOST6 = "192.168.158.2", "2123:2134:abc:ddd::2"
_PUBLIC4, _PUBLIC6 = "1.2.3.4", "2123:2134:abc:ddd::3"
_IP4, _IP6, _UDP = 20, 40, 8
_ANYBODY = '{ port = 443, protocol = "udp", from = ["0.0.0.0/0", "::/0"] }'


def counting(*forwards: str, counters: bool = True) -> Spec:
    said = f"counters = {str(counters).lower()}\nforward = [{', '.join(forwards)}]\n"
    return parse(ARTICLE.replace('forward   = ["22/tcp"]\n', said), "counting.toml")


SPEC = counting('"53/udp"', '"100-200/udp"', '"80/tcp"', _ANYBODY)


@pytest.fixture
def world(box: None) -> Iterator[World]:
    with World(SPEC) as world, Machine() as machine:
        apply_spec(machine, SPEC)
        yield world


def traffic(machine: Machine) -> dict[str, tuple[int, int]]:
    """Packets and bytes by what is counted, zeros left out."""
    counted = machine.counters("ens3")
    return {m: (p, b) for name, m, _, p, b in counted if name.startswith("traffic") and p}


def exchange(
    client: Room, host: Room, there: tuple[str, int], here: str, sizes: tuple[int, int]
) -> None:
    """One datagram there, from whatever address, and one back, of these payloads."""
    family = socket.AF_INET6 if ":" in here else socket.AF_INET
    with (
        host.run(socket.socket, family, socket.SOCK_DGRAM) as server,
        client.run(socket.socket, family, socket.SOCK_DGRAM) as end,
    ):
        server.bind((here, there[1]))
        for each in (server, end):
            each.settimeout(5)
        end.sendto(bytes(sizes[0]), there)
        server.sendto(bytes(sizes[1]), server.recvfrom(2000)[1])
        assert len(end.recv(2000)) == sizes[1]


@pytest.mark.parametrize(
    ("port", "element"), [(53, "udp . 53"), (150, "udp . 100-200"), (443, "udp . 443")]
)
def test_both_directions_and_families_are_counted_in_bytes_of_ip(
    world: World, port: int, element: str
) -> None:
    with Machine() as machine:
        exchange(world.internet, world.host, (_PUBLIC4, port), _HOST4, (100, 30))
        four = {f"ipv4 . {element}": (2, 130 + 2 * (_IP4 + _UDP))}
        assert traffic(machine) == four
        exchange(world.internet, world.host, (_PUBLIC6, port), _HOST6, (100, 30))
        assert traffic(machine) == four | {f"ipv6 . {element}": (2, 130 + 2 * (_IP6 + _UDP))}


def test_every_packet_of_a_connection_is_counted_not_only_its_first(world: World) -> None:
    size = 300_000
    with world.host.run(socket.create_server, (_HOST4, 80)) as server, Machine() as machine:
        with world.internet.run(socket.create_connection, (_PUBLIC4, 80)) as client:
            accepted = server.accept()[0]
            with accepted:
                client.sendall(bytes(size))
                client.shutdown(socket.SHUT_WR)
                while accepted.recv(65536):
                    pass
        packets, octets = traffic(machine)["ipv4 . tcp . 80"]
        # Headers beside the payload: segments may have been joined, but 64 KiB is the most.
        assert packets > size // 65536
        assert size < octets < 1.2 * size
        assert traffic(machine).keys() == {"ipv4 . tcp . 80"}


def test_hairpin_is_counted_where_it_passes_the_router(world: World) -> None:
    with Machine() as machine:
        exchange(world.host, world.host, (_PUBLIC4, 53), _HOST4, (10, 10))
        assert traffic(machine) == {"ipv4 . udp . 53": (2, 2 * (10 + _IP4 + _UDP))}


def test_connections_that_no_forward_made_are_not_counted(world: World) -> None:
    """To the same port of somebody else, and to the host's own IPv6 address."""
    with Machine() as machine:
        with world.internet.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((_PUBLIC4, 53))
            far = probe.getsockname()[0]
        exchange(world.host, world.internet, (far, 53), far, (10, 10))
        exchange(world.internet, world.host, (_HOST6, 53), _HOST6, (10, 10))
        assert traffic(machine) == {}


def test_counts_are_no_difference_and_outlast_an_apply(world: World) -> None:
    more = counting('"53/udp"', '"100-200/udp"', '"80/tcp"', _ANYBODY, '"8080/tcp"')
    with Machine() as machine, Room.named("ens3") as router:
        exchange(world.internet, world.host, (_PUBLIC4, 53), _HOST4, (100, 30))
        counted = traffic(machine)
        number = router.run(generation)
        assert apply_spec(machine, SPEC).operations == ()
        assert router.run(generation) == number
        loads = [o for o in apply_spec(machine, more).operations if isinstance(o, op.LoadRuleset)]
        assert [line.split(" {")[0] for o in loads for line in o.commands.splitlines()] == [
            "add element inet nftnsr forward_ipv4",
            "add element inet nftnsr forward_ipv6",
            "add element inet nftnsr traffic",
        ]
        assert traffic(machine) == counted != {}


def test_switched_off_it_leaves_the_ruleset_that_never_counted(world: World) -> None:
    plain = counting('"53/udp"', '"100-200/udp"', '"80/tcp"', _ANYBODY, counters=False)
    with Machine() as machine:
        apply_spec(machine, plain)
        assert apply_spec(machine, plain).operations == ()
        assert not any(name.startswith("traffic") for name, *_ in machine.counters("ens3"))
        exchange(world.internet, world.host, (_PUBLIC4, 53), _HOST4, (10, 10))
