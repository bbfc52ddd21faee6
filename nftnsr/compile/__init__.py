"""Spec -> State: what a person wrote, and everything that it implies, one file per concern."""

from __future__ import annotations

from functools import lru_cache

from nftnsr.compile import (
    accounting,
    addressing,
    drops,
    egress,
    filter,
    guard,
    helpers,
    input,
    mss,
    nat,
    routing,
    sysctl,
    uplinks,
)
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Item, Namespace, State, Table
from nftnsr.state.words import TABLE


def compile_spec(spec: Spec) -> State:
    """The state that `spec` wants: one namespace for each router, and its part of others."""
    states = ((State({r.name: compile_router(r)}), compile_far(r)) for r in spec.routers)
    return State.union(state for pair in states for state in pair)


# A change compiles a router several times, and a watch each time that it looks.
@lru_cache(maxsize=16)
def compile_router(router: Router) -> Namespace:
    """The router's own namespace."""
    main = (*routing.router_routes(router), *routing.static_routes(router))
    return Namespace(
        (
            *addressing.router_links(router),
            *sysctl.router_sysctls(router),
            Table(*TABLE),
            *helpers.objects(router),
            *nat.sets(router),
            *filter.sets(router),
            *accounting.sets(router),
            *guard.sets(router),
            *input.sets(router),
            *drops.chains(router),
            *guard.chains(router),
            *input.chains(router),
            *egress.chains(router),
            *nat.chains(router),
            *helpers.chains(router),
            *uplinks.chains(router),
            *mss.chains(router),
            *filter.chains(router),
            *accounting.chains(router),
            *addressing.router_addresses(router),
            *main,
            *uplinks.routes(router, main),
            *routing.rules(router),
            *uplinks.rules(router),
            *routing.neighbours(router),
            *routing.proxied_neighbours(router),
        )
    )


def compile_far(router: Router) -> State:
    """What the router needs where its inner links lead to, of the host above all."""
    states = [State({HOST: Namespace()})]
    for link in router.links:
        items: tuple[Item, ...] = (
            addressing.far_end(router, link),
            *sysctl.far_sysctls(router, link),
            *addressing.far_addresses(router, link),
            *routing.far_routes(router, link),
            *routing.far_rules(router, link),
        )
        there = HOST if link.namespace is None else link.namespace
        states.append(State({there: Namespace(items, foreign=there != HOST)}))
    bridged = State({HOST: Namespace(tuple(addressing.bridged_links(router)))})
    return State.union((*states, bridged))


def compile_host(router: Router) -> Namespace:
    """What the router needs in the host's namespace: an end of each veth pair, default routes."""
    return compile_far(router)[HOST]
