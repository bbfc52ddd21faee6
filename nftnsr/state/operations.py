"""What nftnsr does to a kernel, as data: a plan is a tuple of these, and can be printed."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from nftnsr.state.model import Address, Link, Neighbour, Route, Sysctl


@frozen
class CreateNamespace:
    """Make a named network namespace, marked as ours, with its loopback up."""

    namespace: str


@frozen
class DeleteNamespace:
    """Delete a namespace, unless one of `uplinks` is still in it: a virtual one would end there."""

    namespace: str
    uplinks: tuple[str, ...] = ()


@frozen
class CreateVeth:
    """Make a veth pair, each end in its namespace at once; `link.peer` tells where the other is."""

    namespace: str
    link: Link
    other: Link


@frozen
class DeleteLink:
    namespace: str
    name: str


@frozen
class MoveLink:
    """Move a link by name; it arrives down, without addresses, routes and its own sysctls."""

    name: str
    source: str
    target: str


@frozen
class SetLink:
    """Set what is not None in `link`, for the link of its name."""

    namespace: str
    link: Link


@frozen
class AddAddress:
    namespace: str
    address: Address


@frozen
class DeleteAddress:
    namespace: str
    address: Address


@frozen
class AddRoute:
    """Add a route; an IPv4 route of the same key is replaced."""

    namespace: str
    route: Route


@frozen
class DeleteRoute:
    namespace: str
    route: Route


@frozen
class AddNeighbour:
    namespace: str
    neighbour: Neighbour


@frozen
class DeleteNeighbour:
    namespace: str
    neighbour: Neighbour


@frozen
class WriteSysctls:
    """Write several settings, in order; those that have their value already are left alone."""

    namespace: str
    settings: tuple[Sysctl, ...]


@frozen
class LoadRuleset:
    """Run nft commands as one atomic transaction."""

    namespace: str
    commands: str


Operation: TypeAlias = (
    CreateNamespace
    | DeleteNamespace
    | CreateVeth
    | DeleteLink
    | MoveLink
    | SetLink
    | AddAddress
    | DeleteAddress
    | AddRoute
    | DeleteRoute
    | AddNeighbour
    | DeleteNeighbour
    | WriteSysctls
    | LoadRuleset
)
