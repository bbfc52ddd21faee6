"""What nftnsr does to a kernel, as data: a plan is a tuple of these, and can be printed."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from nftnsr.state.flows import Flows
from nftnsr.state.model import Address, Link, Neighbour, PolicyRule, Route, Sysctl


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
class AttachNamespace:
    """Give its name to a namespace that has lost it and is kept alive by something at `path`."""

    namespace: str
    path: str


@frozen
class CreateVeth:
    """Make a veth pair, each end in its namespace at once; `link.peer` tells where the other is."""

    namespace: str
    link: Link
    other: Link


@frozen
class CreateLower:
    """Make a link in a namespace upon one of the host, as `link.lower` tells."""

    namespace: str
    link: Link


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
class RenameLink:
    """Give a link another name; nothing else of it changes."""

    namespace: str
    name: str
    new: str


@frozen
class SetLink:
    """Set what is not None of `link`'s MAC, MTU, queue length, alias and flags."""

    namespace: str
    link: Link

    @property
    def says_anything(self) -> bool:
        link = self.link
        shape = (link.mac, link.mtu, link.queue_length, link.alias, link.arp, link.multicast)
        return any(value is not None for value in shape)


@frozen
class SetMaster:
    """Make a link a member of a bridge, bond or vrf of its namespace; None: of none."""

    namespace: str
    name: str
    master: str | None


@frozen
class AddAltname:
    """Give a link one more alternative name."""

    namespace: str
    dev: str
    name: str


@frozen
class DeleteAltname:
    namespace: str
    dev: str
    name: str


@frozen
class SetUp:
    """Bring a link up, or down."""

    namespace: str
    name: str
    up: bool


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
class AddRule:
    """Add a rule of the policy routing."""

    namespace: str
    rule: PolicyRule


@frozen
class DeleteRule:
    namespace: str
    rule: PolicyRule


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


@frozen
class ForgetFlows:
    """Delete the conntrack entries of `flows`, but not those translated as `kept` says.

    A translation is decided once, by a flow's first packet: without this, a flow goes on to the
    old target for as long as it lasts.
    """

    namespace: str
    flows: tuple[Flows, ...]
    kept: tuple[Flows, ...] = ()


Operation: TypeAlias = (
    CreateNamespace
    | DeleteNamespace
    | AttachNamespace
    | CreateVeth
    | CreateLower
    | DeleteLink
    | MoveLink
    | RenameLink
    | SetLink
    | AddAltname
    | DeleteAltname
    | SetMaster
    | SetUp
    | AddAddress
    | DeleteAddress
    | AddRoute
    | DeleteRoute
    | AddRule
    | DeleteRule
    | AddNeighbour
    | DeleteNeighbour
    | WriteSysctls
    | LoadRuleset
    | ForgetFlows
)
