"""What probes do to one another."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from itertools import count
from typing import cast

from attrs import field, frozen

from nftnsr.rehearsal.probes import Arrives, Reach, Server, Spread
from nftnsr.rehearsal.scene import HOST, INTERNET, Origin
from nftnsr.rehearsal.servers import Servers, Sighting
from nftnsr.rehearsal.trials import Trials
from nftnsr.rehearsal.world import World

CLIENT, PUBLIC = ip_address("198.51.100.1"), ip_address("1.2.3.4")
BOTH = tuple(Server(HOST, "tcp", ip_address(f"10.42.0.{n}"), 80) for n in (10, 11))
ASKED = Reach("wan", "in", "", Origin(INTERNET), PUBLIC, 80, BOTH[0], Arrives((CLIENT,)), BOTH[1:])


@frozen
class InTurn(Trials):
    """Two servers, of which each new client of whomever gets the next one."""

    turn: count[int] = field(factory=count)

    async def _ask(self, probe: Reach) -> Sighting | str:
        server = probe.servers[next(self.turn) % 2]
        await asyncio.sleep(0)  # as on the wire, somebody else comes in between
        return Sighting(str(server), CLIENT)


def test_servers_that_take_turns_are_all_found_by_everybody_who_looks_for_them() -> None:
    spread = Spread("wan", "in", "", (ASKED,) * 8)

    async def both() -> list[bool]:
        trials = InTurn(cast(World, None), cast(Servers, None))
        return [r.ok for r in await asyncio.gather(trials.run(spread), trials.run(spread))]

    assert asyncio.run(both()) == [True, True]
