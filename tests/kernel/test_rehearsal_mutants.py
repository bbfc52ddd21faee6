"""Whatever is left out of what a spec compiles to, a rehearsal notices it.

Every rule, some elements of every map and set, every address, route, policy rule, neighbour and
setting of a recipe is left out, one at a time; the rest is applied by the real transaction, and
probed. What may go unnoticed is listed, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen

from nftnsr.compile import compile_spec
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.nftables import library
from nftnsr.rehearsal import World, probe, trials
from nftnsr.spec import load_all
from nftnsr.spec.model import Spec
from nftnsr.state.model import (
    HOST,
    Address,
    Chain,
    Item,
    Neighbour,
    PolicyRule,
    Route,
    Set,
    State,
    Sysctl,
)
from nftnsr.transaction import intents
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.transact import Undone

from .conftest import sh

RULESETS = Path(__file__).parents[2] / "rulesets"

# Of the rulesets, those whose specs have the most keys.
RECIPES = ("hardened", "lab", "prefix", "two-tables")

SAFE = {
    # Two that do the same.
    r"\w+: (input|forward): (policy drop|goto dropped)": "the policy and the last rule both drop",
    r"\w+: egress_\S+: goto dropped": "what comes back from there is dropped by `forward`",
    r".*sysctl net/ipv4/conf/\w+/(rp_filter|send_redirects)": "the greater one, `all` or the link",
    r".*sysctl net/ipv4/ip_forward": "each link's own decides",
    r".*sysctl net/ipv6/conf/v\w+/forwarding": "that of the uplink decides",
    r"two-tables: (route 192\.0\.2\.0/24|route .* table 100|rule )": "next hops are one gateway",
    # What no packet of a rehearsal can show.
    r".*sysctl .*/(promote_secondaries|addr_gen_mode|accept_dad)": "of addresses that come and go",
    r".*sysctl .*/(accept_redirects|accept_ra)": "nobody sends any",
    r"lab: sysctl net/ipv6/": "it has no IPv6",
    r"hardened: dropped: limit rate": "it writes a log",
    r"hardened: bogons_ipv4: (0\.0\.0\.0/8|224\.0\.0\.0/3)": "no socket has such a source",
    r"lab: (helpers: |forward_ipv4: sctp)": "told as untried",
    r"lab: (synproxy_ipv4|untracked): ": "who answers first, no client can see",
}


@frozen
class Mutant:
    """What is left out, in words, and the state without it."""

    what: str
    state: State


def mutants(whole: State) -> Iterator[Mutant]:
    for name, space in whole.namespaces.items():
        for number, item in enumerate(space.items):
            for what, instead in broken(item):
                items = (*space.items[:number], *instead, *space.items[number + 1 :])
                namespaces = {**whole.namespaces, name: evolve(space, items=items)}
                yield Mutant(f"{what}{' of the host' * (name == HOST)}", State(namespaces))


def broken(item: Item) -> Iterator[tuple[str, tuple[Item, ...]]]:
    """The item with something missing, in every way in which that can be."""
    match item:
        case Chain(name=name, hook=hook, rules=rules):
            if "policy drop" in hook:
                opened = hook.replace("policy drop", "policy accept")
                yield f"{name}: policy drop", (evolve(item, hook=opened),)
            for number, rule in enumerate(rules):
                rest = (*rules[:number], *rules[number + 1 :])
                yield f"{name}: {rule}", (evolve(item, rules=rest),)
        case Set(name=name, elements=elements):
            ordered = sorted(elements)
            for element in dict.fromkeys((*ordered[:1], *ordered[-1:])):
                yield f"{name}: {element}", (evolve(item, elements=elements - {element}),)
        case Address(interface=interface, dev=dev):
            yield f"address {dev} {interface}", ()
        case Route():
            via = f" table {item.table}" if item.table != 254 else ""
            yield f"route {item.destination}{via}", ()
        case PolicyRule():
            yield f"rule {item.source} {item.destination} lookup {item.table}", ()
        case Neighbour(address=address):
            yield f"neighbour {address}", ()
        case Sysctl(path=path, value=value):
            # The kernel answers after any time up to this one: it is a quarter of an hour.
            other = "100000" if path.endswith("proxy_delay") else str(int(value == "0"))
            yield f"sysctl {path} = {other}", (evolve(item, value=other),)
        case _:
            return


def apply(spec: Spec) -> None:
    with Machine() as machine:
        apply_spec(machine, spec)


def forget(world: World, router: str, meters: tuple[str, ...]) -> None:
    """What an earlier round has left: flows, neighbours, and what was counted."""
    inside = f"ip netns exec {router}"
    sh(f"conntrack -F; {inside} conntrack -F; {inside} ip neigh flush all", check=False)
    for meter in meters:
        sh(f"{inside} nft flush set inet nftnsr {meter}")
    gateway = world.gateway(router)
    for room in (gateway, world.neighbour(router), world.internet, world.host):
        room.run(sh, "ip neigh flush all", check=False)
    flush = "flush set netdev border leaked4; flush set netdev border leaked6"
    gateway.run(lambda: library().cmd(flush))


def meters(state: State) -> tuple[str, ...]:
    """The sets that packets fill."""
    items = (i for space in state.namespaces.values() for i in space.items if isinstance(i, Set))
    return tuple(i.name for i in items if any("dynamic" in line for line in i.lines))


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_can_be_left_out(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_all([RULESETS / f"{recipe}.toml"])
    (router,) = spec.routers
    whole = compile_spec(spec)
    tried, survivors = list(mutants(whole)), []

    def passes(world: World, state: State) -> bool:
        monkeypatch.setattr(intents, "compile_spec", lambda _: state)
        try:
            apply(spec)
        except (KernelError, Undone):
            return False  # the apply itself noticed
        forget(world, router.name, meters(whole))
        return all(result.ok for result in probe(world))

    with World(spec) as world:
        assert passes(world, whole)
        with monkeypatch.context() as hasty:
            hasty.setattr(trials, "PATIENCE", 0.4)
            hasty.setattr(trials, "BRIEF", 0.15)
            survivors += [f"{recipe}: {m.what}" for m in tried if passes(world, m.state)]
        # What was noticed was what was left out, not what an earlier round had left.
        assert passes(world, whole)
    assert len(tried) > 40
    assert [w for w in survivors if not any(re.match(pattern, w) for pattern in SAFE)] == []
