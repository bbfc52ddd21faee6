"""The operations that rtnetlink does, one dispatch of them all."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.state import operations as op

RtnetlinkOperation: TypeAlias = (
    op.DeleteLink | op.RenameLink | op.SetLink | op.SetMaster | op.AddAltname | op.DeleteAltname
    | op.SetUp | op.AddAddress | op.DeleteAddress | op.AddRoute | op.DeleteRoute | op.AddRule
    | op.DeleteRule | op.AddNeighbour | op.DeleteNeighbour
)  # fmt: skip


def perform(rtnetlink: Rtnetlink, operation: RtnetlinkOperation) -> None:
    """Do an operation in the namespace of `rtnetlink`."""
    match operation:
        case op.DeleteLink(_, name):
            rtnetlink.delete_link(name)
        case op.RenameLink(_, name, new):
            rtnetlink.rename_link(name, new)
        case op.SetLink(_, link):
            rtnetlink.set_link(link)
        case op.AddAltname(_, dev, name):
            rtnetlink.add_altname(dev, name)
        case op.DeleteAltname(_, dev, name):
            rtnetlink.delete_altname(dev, name)
        case op.SetMaster(_, name, master):
            rtnetlink.set_master(name, master)
        case op.SetUp(_, name, up):
            rtnetlink.set_up(name, up=up)
        case op.AddAddress(_, address):
            rtnetlink.add_address(address)
        case op.DeleteAddress(_, address):
            rtnetlink.delete_address(address)
        case op.AddRoute(_, route):
            rtnetlink.add_route(route)
        case op.DeleteRoute(_, route):
            rtnetlink.delete_route(route)
        case op.AddRule(_, rule):
            rtnetlink.add_rule(rule)
        case op.DeleteRule(_, rule):
            rtnetlink.delete_rule(rule)
        case op.AddNeighbour(_, neighbour):
            rtnetlink.add_neighbour(neighbour)
        case op.DeleteNeighbour(_, neighbour):
            rtnetlink.delete_neighbour(neighbour)
        case _:
            assert_never(operation)
