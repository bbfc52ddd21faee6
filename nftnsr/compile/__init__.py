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
    input,
    mss,
    nat,
    routing,
    sysctl,
)
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Item, Namespace, State, Table
from nftnsr.state.words import TABLE


def compile_spec(spec: Spec) -> State:
    """The state that `spec` wants: one namespace for each router, and its part of the host."""
    host: list[Item] = []
    namespaces: dict[str, Namespace] = {}
    for router in spec.routers:
        namespaces[router.name] = compile_router(router)
        host += compile_host(router).items
    return State({HOST: Namespace(tuple(host)), **namespaces})


# A change compiles a router several times, and a watch each time that it looks.
@lru_cache(maxsize=16)
def compile_router(router: Router) -> Namespace:
    """The router's own namespace."""
    return Namespace(
        (
            *addressing.router_links(router),
            *sysctl.router_sysctls(router),
            Table(*TABLE),
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
            *mss.chains(router),
            *filter.chains(router),
            *accounting.chains(router),
            *addressing.router_addresses(router),
            *routing.router_routes(router),
            *routing.static_routes(router),
            *routing.rules(router),
            *routing.neighbours(router),
            *routing.proxied_neighbours(router),
        )
    )


def compile_host(router: Router) -> Namespace:
    """What the router needs in the host's namespace: an end of the veth pair, default routes."""
    return Namespace(
        (
            *addressing.host_links(router),
            *sysctl.host_sysctls(router),
            *addressing.host_addresses(router),
            *routing.host_routes(router),
            *routing.host_rules(router),
        )
    )
