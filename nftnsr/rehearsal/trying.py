"""All probes of a world, in the order in which they do not disturb one another."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Iterable

from nftnsr.kernel.errors import KernelError
from nftnsr.rehearsal import expectations
from nftnsr.rehearsal.outages import outages
from nftnsr.rehearsal.outcome import Result, Stage, Untried
from nftnsr.rehearsal.probes import Bulk, Outage, Probe, Reach, Spread
from nftnsr.rehearsal.servers import Servers
from nftnsr.rehearsal.trials import Trials
from nftnsr.rehearsal.world import World

AT_ONCE = 256
"""More would only delay one another's packets, and a late packet looks like a lost one."""
_REST = 256
"""Open files for everything that is neither a server nor a client: rooms, handles, libraries."""

OnProgress = Callable[[Stage | Result], None]


def untried(world: World) -> tuple[Untried, ...]:
    """What the spec promises and no probe can show, and what of the host the twin has not got."""
    said = tuple(p for p in expectations.probes(world.scene) if isinstance(p, Untried))
    first, what = world.scene.spec.routers[0].name, "the twin is not all that this host is"
    return (*said, *(Untried(first, what, reason) for reason in world.unlike))


def probe(world: World, on_progress: OnProgress | None = None) -> tuple[Result, ...]:
    """Try everything that the spec promises, now that it is applied to the world's host."""
    world.enter_routers()
    world.answer_through_other_routers()
    return asyncio.run(_probe(world, on_progress or (lambda _: None)))


async def _probe(world: World, on_progress: OnProgress) -> tuple[Result, ...]:
    scene = world.scene
    timed = tuple(expectations.timed_probes(scene))
    bulk = tuple(p for p in expectations.probes(scene) if not isinstance(p, Untried))
    closing = tuple(expectations.closing_probes(scene))
    failing = tuple(outages(scene))
    asked = (p for p in (*bulk, *failing) if isinstance(p, Reach | Spread | Bulk | Outage))
    wanted = {s: None for p in asked for s in p.servers}
    _allow_open_files(len(wanted) + AT_ONCE + _REST)
    planned = Counter((p.router, p.kind) for p in (*timed, *bulk, *closing, *failing))
    on_progress(Stage("probes", tuple((*key, number) for key, number in planned.items())))
    async with Servers(world, wanted) as servers:
        trials = Trials(world, servers)
        results = []
        # While an uplink has failed nothing else can be tried.
        for batch in (timed, bulk, closing, *((each,) for each in failing)):
            results += await _together(trials, batch, on_progress)
    return tuple(results)


async def _together(
    trials: Trials, probes: Iterable[Probe], on_progress: OnProgress
) -> list[Result]:
    places = asyncio.Semaphore(AT_ONCE)

    async def run(probe: Probe) -> Result:
        async with places:
            result = await trials.run(probe)
        on_progress(result)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(probe)) for probe in probes]
    return [task.result() for task in tasks]


def _allow_open_files(number: int) -> None:
    """Every forward has its servers, and every server a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(hard, number) if hard != resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError) as error:
        raise KernelError(
            f"{number} sockets are needed for as many servers and clients, and a process may have "
            f"{hard} open files",
            "raise the limit as root (ulimit -Hn), or rehearse a part of the forwards",
        ) from error
