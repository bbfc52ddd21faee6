"""What the uplink, the veth and their addresses can be told to be, and are given back from."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.spec import parse
from nftnsr.state.difference import difference
from nftnsr.transaction import records
from nftnsr.transaction.apply import apply_spec, take_down
from nftnsr.transaction.intents import apply_intent
from nftnsr.transaction.transact import Outcome

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_undo import Faulty, _passes, prepare, refuse

SHAPED = ARTICLE.replace(
    "gateways",
    'mtu = 1400\nmac = "02:00:00:00:aa:03"\naltnames = ["wan", "outside"]\ngateways',
).replace('"vens3"', '"vens3"\nmtu = 1380\nmac = "02:00:00:00:aa:04"')
OPTIONS = ARTICLE.replace(
    'addresses = ["1.2.3.4/24", "2123:2134:abc:ddd::3/64"]',
    """addresses = [
      "1.2.3.4/24", { address = "1.2.3.6/24", noprefixroute = true },
      "2123:2134:abc:ddd::3/64",
      { address = "2123:2134:abc:ddd::4/64", preferred_lifetime = "0s" },
      { address = "2123:2134:abc:ddd::5/64", nodad = false },
      { address = "2123:2134:abc:ddd::6/64", preferred_lifetime = "1h", valid_lifetime = "2h" },
    ]""",
)


def apply(text: str) -> Outcome:
    with Machine() as machine:
        return apply_spec(machine, parse(text, "spec.toml"))


def down() -> Outcome:
    with Machine() as machine:
        return take_down(machine, [r for n in records.names() if (r := records.read(n))])


def drift(text: str) -> tuple[object, ...]:
    with Machine() as machine:
        intent, found = apply_intent(machine, parse(text, "spec.toml"))
        return difference(intent.goal.wanted, found, intent.goal.ours)


def link(name: str, namespace: str = "") -> dict[str, Any]:
    where = f"-n {namespace}" if namespace else ""
    (found,) = json.loads(sh(f"ip -j {where} address show dev {name}"))
    return dict(found)


def addresses(namespace: str, dev: str) -> dict[str, dict[str, Any]]:
    return {each["local"]: each for each in link(dev, namespace)["addr_info"]}


def test_uplink_is_as_the_spec_says_while_it_is_in_the_router(segment: Segment) -> None:
    sh("ip link property add dev ens3 altname enp0s3")
    before = everything()
    apply(SHAPED)
    uplink, veth, end = link("ens3", "ens3"), link("vens3"), link("vens3", "ens3")
    assert (uplink["mtu"], uplink["address"]) == (1400, "02:00:00:00:aa:03")
    assert sorted(uplink["altnames"]) == ["outside", "wan"]
    assert (veth["mtu"], veth["address"], end["mtu"]) == (1380, "02:00:00:00:aa:04", 1380)
    assert drift(SHAPED) == ()
    sh("ip -n ens3 link set ens3 mtu 1300 address 02:00:00:00:bb:03")
    sh("ip -n ens3 link property del dev ens3 altname wan")
    assert len(drift(SHAPED)) == 1
    apply(SHAPED)
    assert drift(SHAPED) == ()
    down()
    assert_same(everything(), before)


def test_uplink_is_as_it_was_when_the_spec_says_it_no_more(segment: Segment) -> None:
    sh("ip link property add dev ens3 altname enp0s3")
    before = everything()
    apply(ARTICLE)
    plain = everything()
    apply(SHAPED)
    assert link("ens3", "ens3")["mtu"] == 1400
    apply(ARTICLE)
    assert_same(everything(), plain)
    assert drift(ARTICLE) == ()
    sh("ip -n ens3 link set ens3 mtu 1300")
    assert len(drift(ARTICLE)) == 1, "what no spec says stays as it was"
    down()
    assert_same(everything(), before)


def test_uplink_of_another_mac_is_found_under_another_name(segment: Segment) -> None:
    before = everything()
    apply(SHAPED)
    sh("ip -n ens3 link set ens3 down; ip -n ens3 link set ens3 name lost")
    down()
    assert_same(everything(), before)


def test_packets_pass_with_another_mac_and_mtu(segment: Segment) -> None:
    apply(SHAPED)
    with socket.create_server(("", 22)) as server:
        server.settimeout(5)
        with segment.provider.run(socket.create_connection, ("1.2.3.4", 22), 5) as client:
            accepted, peer = server.accept()
            with accepted:
                client.sendall(b"x" * 100_000)
                got = b""
                while len(got) < 100_000:
                    got += accepted.recv(65536)
        assert peer[0] == "1.2.3.1"
    neighbours = json.loads(sh("ip -j neigh show 1.2.3.4", segment.provider))
    assert [n["lladdr"] for n in neighbours] == ["02:00:00:00:aa:03"]


def test_addresses_have_their_options(segment: Segment) -> None:
    before = everything()
    apply(OPTIONS)
    found = addresses("ens3", "ens3")
    assert found["1.2.3.6"]["noprefixroute"]
    assert found["2123:2134:abc:ddd::4"]["deprecated"]
    assert "nodad" not in found["2123:2134:abc:ddd::5"]
    assert found["2123:2134:abc:ddd::3"]["nodad"]
    assert 7100 < found["2123:2134:abc:ddd::6"]["valid_life_time"] <= 7200
    assert 3500 < found["2123:2134:abc:ddd::6"]["preferred_life_time"] <= 3600
    assert drift(OPTIONS) == ()
    apply(ARTICLE.replace("ddd::3/64", 'ddd::3/64", "2123:2134:abc:ddd::4/64'))
    assert "deprecated" not in addresses("ens3", "ens3")["2123:2134:abc:ddd::4"]
    down()
    assert_same(everything(), before)


def test_deprecated_address_answers_but_starts_nothing(segment: Segment) -> None:
    text = ARTICLE.replace(
        '"2123:2134:abc:ddd::3/64"',
        '{ address = "2123:2134:abc:ddd::3/64", preferred_lifetime = "0s" }, '
        '"2123:2134:abc:ddd::4/64"',
    )
    apply(text)
    # The later of two would be the source, were it not for this one being deprecated.
    assert source_of(segment, "ens3") == "2123:2134:abc:ddd::4"
    sh("ping -6 -c1 -W3 2123:2134:abc:ddd::3", segment.provider)


def source_of(segment: Segment, namespace: str) -> str:
    """The source that the kernel chooses in a namespace for a packet to the provider."""
    with Room.named(namespace) as room:
        words = sh("ip -6 route get 2123:2134:abc:ddd::1", room).split()
    return words[words.index("src") + 1]


def test_address_without_prefix_route_leaves_its_gateway_off_the_link(segment: Segment) -> None:
    text = ARTICLE.replace('"1.2.3.4/24"', '{ address = "1.2.3.4/24", noprefixroute = true }')
    apply(text)
    assert sh("ip -n ens3 route show 1.2.3.0/24") == ""
    assert "via 1.2.3.1 dev ens3 proto 110 onlink" in sh("ip -n ens3 route show default")
    sh("ping -c1 -W3 1.2.3.1")


# The kernel leaves a prefix's anycast address for each address that goes, and joins it only for
# one that has passed its duplicate detection: an undo within that second loses it.
@pytest.mark.parametrize(
    "text", [SHAPED, OPTIONS.replace("nodad = false", "nodad = true")], ids=["shaped", "options"]
)
def test_failed_operation_leaves_the_links_as_found(segment: Segment, text: str) -> None:
    sh("ip link property add dev ens3 altname enp0s3")
    prepare((lambda machine: apply_spec(machine, parse(ARTICLE, "article.toml")),))
    found = everything()
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(lambda m: apply_spec(m, parse(text, "spec.toml")), machine):
                break
        assert_same(everything(), found)
    assert number > 3
