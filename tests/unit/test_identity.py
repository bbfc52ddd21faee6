"""Which link is the uplink, whatever it is called."""

from __future__ import annotations

from typing import Any

import pytest

from nftnsr.kernel.identity import Identity, identities, under_own_names, whereabouts
from nftnsr.state.model import HOST, Link, Namespace, State

MAC, OTHER = "02:00:00:00:00:03", "02:00:00:00:00:04"


class Message(dict[str, Any]):
    """As much of pyroute2's messages as is looked at."""

    def get_attr(self, _: str) -> str:
        return str(self["kind"])


def link(mac: str = OTHER, permanent: str | None = None, kind: str | None = None) -> Message:
    info = None if kind is None else Message(kind=kind)
    return Message(address=mac, perm_address=permanent, linkinfo=info)


NIC = Identity("ens3", frozenset({HOST, "r"}), frozenset({MAC}), MAC)
VETH = Identity("ens3", frozenset({HOST, "r"}), frozenset({MAC}), None, "veth")
NAMED = Identity("ens3", frozenset({HOST, "r"}))


@pytest.mark.parametrize(
    ("one", "there", "place"),
    [
        (NAMED, {HOST: {"ens3": link()}}, (HOST, "ens3")),
        (NAMED, {HOST: {"dev2": link(MAC)}}, None),
        (NIC, {HOST: {"dev2": link(OTHER, MAC)}}, (HOST, "dev2")),
        # Its name was taken by another when it came back.
        (NIC, {HOST: {"ens3": link(), "dev2": link(MAC, MAC)}}, (HOST, "dev2")),
        # A virtual function and its synthetic twin have both addresses in common.
        (NIC, {HOST: {"enP1": link(MAC, MAC), "ens3": link(MAC, MAC)}}, (HOST, "ens3")),
        # Another card in its place is the uplink of that name now.
        (NIC, {HOST: {"ens3": link(OTHER, OTHER)}}, (HOST, "ens3")),
        (VETH, {HOST: {}, "r": {"foo": link(MAC, kind="veth")}}, ("r", "foo")),
        # A VLAN has the MAC of its parent, a bridge that of a port.
        (VETH, {HOST: {"br0": link(MAC, kind="bridge"), "x.5": link(MAC, kind="vlan")}}, None),
        (VETH, {HOST: {"a": link(MAC, kind="veth"), "b": link(MAC, kind="veth")}}, None),
        (VETH, {HOST: {"ens3": link()}, "r": {"ens3": link(MAC)}}, ("r", "ens3")),
        (VETH, {HOST: {"ens3": link(MAC)}, "r": {"ens3": link()}}, (HOST, "ens3")),
        (NAMED, {HOST: {"ens3": link()}, "r": {"ens3": link()}}, ("r", "ens3")),
        # Where it never was, it is not looked for.
        (NAMED, {HOST: {}, "other": {"ens3": link()}}, None),
    ],
)
def test_link_is_found_by_what_is_most_lasting(
    one: Identity, there: dict[str, dict[str, Message]], place: tuple[str, str] | None
) -> None:
    assert whereabouts(one, there) == place


def test_links_without_an_address_are_not_alike() -> None:
    tunnel = Identity("tun0", frozenset({HOST}), "00:00:00:00:00:00", None, "tun")
    assert whereabouts(tunnel, {HOST: {"tun1": link("00:00:00:00:00:00", kind="tun")}}) is None


def test_another_link_of_the_name_is_not_shown() -> None:
    nic, usurper = link(MAC, MAC), link()
    shown = under_own_names([NIC], {HOST: {"ens3": usurper, "x": usurper}, "r": {"foo": nic}})
    assert shown == {HOST: {"x": usurper}, "r": {"ens3": nic}}


def test_two_uplinks_that_swapped_their_names_are_told_apart() -> None:
    a, b = link(MAC, MAC), link(OTHER, OTHER)
    ones = [NIC, Identity("ens4", frozenset({HOST}), OTHER, OTHER)]
    shown = under_own_names(ones, {HOST: {"ens4": a, "ens3": b}})
    assert shown == {HOST: {"ens3": a, "ens4": b}}


def test_identity_is_what_the_record_knows_wherever_it_is_wanted() -> None:
    wanted = State({HOST: Namespace(), "r": Namespace((Link("ens3"), Link("lo")))})
    before = State({HOST: Namespace((Link("ens3", mac=MAC, kind="veth"),))})
    assert identities([wanted, before]) == {VETH}
