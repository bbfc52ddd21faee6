"""Uplinks that are made: upon an interface of the host, or into one of its bridges."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.spec import parse
from nftnsr.transaction import records
from nftnsr.transaction.apply import Refused, apply_spec
from nftnsr.transaction.transact import recover

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_links import apply, down, drift
from .test_undo import Faulty, _killed, _passes, refuse

MACVLAN = """
[router.nat]
uplink    = { name = "up0", kind = "macvlan", parent = "ens3" }
addresses = ["1.2.3.11/24", "2123:2134:abc:ddd::b/64"]
gateways  = ["1.2.3.1", "2123:2134:abc:ddd::1"]
forward   = ["2222/tcp -> :22"]

[router.nat.host]
interface        = "vnat"
addresses        = ["192.168.158.2/24", "fd00:158::2/128"]
router_addresses = ["192.168.158.1/24"]
default_route    = false
"""
BRIDGED = MACVLAN.replace('kind = "macvlan", parent = "ens3"', 'kind = "veth", bridge = "br0"')
BOTH = pytest.mark.parametrize("text", [MACVLAN, BRIDGED], ids=["macvlan", "bridged"])


def bridge() -> None:
    """The host's bridge, with the uplink in it and the host's address on it."""
    sh("""
      ip link add name br0 type bridge mcast_snooping 0
      ip address flush dev ens3; ip link set ens3 master br0; ip link set br0 up
      ip address add 1.2.3.4/24 dev br0; ip route add default via 1.2.3.1 dev br0
    """)


def prepare(text: str) -> None:
    if text is BRIDGED:
        bridge()


def comes_in(segment: Segment) -> str:
    """Whom a server on the host sees when the provider connects to the router's port 2222."""
    # Answers take the router, as they would by a table of the host's own.
    sh("ip rule add from 192.168.158.2 lookup 9; ip route add default via 192.168.158.1 table 9")
    try:
        with socket.create_server(("192.168.158.2", 22)) as server:
            server.settimeout(3)
            with segment.provider.run(socket.create_connection, ("1.2.3.11", 2222), 3):
                return str(server.accept()[1][0])
    finally:
        sh("ip rule del from 192.168.158.2; ip route flush table 9")


@BOTH
def test_uplink_is_made_and_removed_and_the_host_keeps_its_own(segment: Segment, text: str) -> None:
    prepare(text)
    before = everything()
    apply(text)
    assert "1 received" in sh("ping -c1 -W3 1.2.3.1"), "the host goes out as before"
    assert comes_in(segment) == "1.2.3.1"
    assert "1 received" in sh("ip netns exec nat ping -c1 -W3 1.2.3.1")
    assert "1 received" in sh("ip netns exec nat ping -6 -c1 -W3 2123:2134:abc:ddd::1")
    assert drift(text) == ()
    with Machine() as machine:
        assert apply_spec(machine, parse(text, "spec.toml")).operations == ()
    down()
    assert_same(everything(), before)
    apply(text)  # at once: a macvlan that still lived would hold the MAC
    down()


@BOTH
def test_uplink_that_was_deleted_is_made_again(segment: Segment, text: str) -> None:
    prepare(text)
    apply(text)
    sh("ip -n nat link del up0")
    assert drift(text) != ()
    apply(text)
    assert drift(text) == ()
    assert comes_in(segment) == "1.2.3.1"


def test_port_that_left_its_bridge_is_put_back(segment: Segment) -> None:
    bridge()
    apply(BRIDGED)
    sh("ip link set up0 nomaster")
    assert len(drift(BRIDGED)) == 1
    apply(BRIDGED)
    assert comes_in(segment) == "1.2.3.1"


def test_another_mode_or_kind_is_made_anew(segment: Segment) -> None:
    bridge()
    before = everything()
    apply(BRIDGED)
    other = MACVLAN.replace('"ens3"', '"br0"').replace("parent", 'mode = "private", parent')
    apply(other)
    (link,) = json.loads(sh("ip -n nat -j -d link show up0"))
    assert link["linkinfo"]["info_data"]["mode"] == "private"
    assert drift(other) == ()
    assert comes_in(segment) == "1.2.3.1"
    apply(other.replace("private", "vepa"))
    (link,) = json.loads(sh("ip -n nat -j -d link show up0"))
    assert link["linkinfo"]["info_data"]["mode"] == "vepa"
    down()
    assert_same(everything(), before)


@pytest.mark.parametrize(
    ("uplink", "reason"),
    [
        ('kind = "macvlan", parent = "ens4"', "there is no interface ens4 on this host"),
        ('kind = "veth", bridge = "br7"', "there is no bridge br7 on this host"),
        ('kind = "veth", bridge = "ens3"', "interface ens3 is no bridge"),
        ('kind = "vlan", parent = "ens3", id = 7', "this kernel makes no vlan"),
        ('kind = "ipvlan", parent = "ens3"', "this kernel makes no ipvlan"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything(
    segment: Segment, uplink: str, reason: str
) -> None:
    if "this kernel" in reason and _makes(uplink.split('"')[1]):
        pytest.skip("this kernel makes it")
    before = everything()
    with pytest.raises(Refused, match=reason):
        apply(MACVLAN.replace('kind = "macvlan", parent = "ens3"', uplink))
    assert_same(everything(), before)
    assert not Path("/var/lib/nftnsr/nat.json").exists()


def _makes(kind: str) -> bool:
    words = "id 5" if kind == "vlan" else ""
    return "yes" in sh(
        f"ip link add link ens3 name try type {kind} {words} && echo yes", check=False
    )


def test_foreign_link_of_the_name_in_the_bridge_is_refused(segment: Segment) -> None:
    bridge()
    sh("ip link add name up0 type veth peer name other")
    with pytest.raises(Refused, match="interface up0 exists already"):
        apply(BRIDGED)


def test_host_turns_from_a_moved_uplink_to_one_that_is_made(segment: Segment) -> None:
    before = everything()
    apply(ARTICLE)
    with pytest.raises(Refused, match="there is no interface ens3 on this host"):
        apply(MACVLAN)
    down()
    apply(MACVLAN)
    assert comes_in(segment) == "1.2.3.1"
    down()
    assert_same(everything(), before)


@BOTH
def test_failed_operation_leaves_everything_as_found(segment: Segment, text: str) -> None:
    prepare(text)
    found = everything()
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(lambda m: apply_spec(m, parse(text, "spec.toml")), machine):
                break
        assert_same(everything(), found)
        assert records.names() == ()
    assert number > 15


@BOTH
def test_killed_process_is_recovered(segment: Segment, text: str) -> None:
    prepare(text)
    found = everything()
    for number in range(1, 200):
        if not _killed(lambda m: apply_spec(m, parse(text, "spec.toml")), number, "after"):
            break
        with Machine() as machine:
            assert recover(machine) is not None
        assert_same(everything(), found)
    assert number > 15
