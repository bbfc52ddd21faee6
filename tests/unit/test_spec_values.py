"""Strings become values, or say why not."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from nftnsr.spec import forwards, values
from nftnsr.spec.model import Forward, Ports, Target
from nftnsr.spec.values import Unreadable


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("22/tcp", Forward((Ports(22, 22),))),
        ("80-80/tcp", Forward((Ports(80, 80),))),
        ("30000-30100/udp", Forward((Ports(30000, 30100),), ("udp",))),
        (
            "8080/tcp -> 10.42.0.10:80",
            Forward(
                (Ports(8080, 8080),), ("tcp",), (Target(ip_address("10.42.0.10"), Ports(80, 80)),)
            ),
        ),
        ("5353/udp->:53", Forward((Ports(5353, 5353),), ("udp",), (Target(ports=Ports(53, 53)),))),
        (
            "8443/tcp\t->  10.42.0.10",
            Forward((Ports(8443, 8443),), ("tcp",), (Target(ip_address("10.42.0.10")),)),
        ),
        (
            "1-65535/tcp -> 10.42.0.10",
            Forward((Ports(1, 65535),), ("tcp",), (Target(ip_address("10.42.0.10")),)),
        ),
        (
            "80/tcp -> [fd00::10]:8080",
            Forward(
                (Ports(80, 80),), ("tcp",), (Target(ip_address("fd00::10"), Ports(8080, 8080)),)
            ),
        ),
        (
            "80/tcp -> [fd00::10]",
            Forward((Ports(80, 80),), ("tcp",), (Target(ip_address("fd00::10")),)),
        ),
        (
            "80,443,8000-8010/tcp",
            Forward((Ports(80, 80), Ports(443, 443), Ports(8000, 8010))),
        ),
        (
            "8000-8010/tcp+udp -> 10.42.0.10:9000-9010",
            Forward(
                (Ports(8000, 8010),),
                ("tcp", "udp"),
                (Target(ip_address("10.42.0.10"), Ports(9000, 9010)),),
            ),
        ),
        ("5000/sctp", Forward((Ports(5000, 5000),), ("sctp",))),
        (
            "192.0.2.5:443/tcp -> 10.42.0.10",
            Forward(
                (Ports(443, 443),),
                targets=(Target(ip_address("10.42.0.10")),),
                addresses=(ip_address("192.0.2.5"),),
            ),
        ),
        (
            "[2001:db8::5]:443/tcp",
            Forward((Ports(443, 443),), addresses=(ip_address("2001:db8::5"),)),
        ),
    ],
)
def test_short_form_says_the_forward(text: str, forward: Forward) -> None:
    assert forwards.short(text) == forward


@pytest.mark.parametrize(
    "text",
    [
        " 22/tcp",
        "22/tcp ",
        "22 /tcp",
        "+22/tcp",
        "2_2/tcp",
        "22/tcp -> 10.1 ",
        "22/tcp -> ::1",
        "",
        "->",
    ],
)
def test_short_form_is_strict(text: str) -> None:
    with pytest.raises(Unreadable):
        forwards.short(text)


def test_a_flaw_points_at_its_part_of_the_string() -> None:
    text = "70000/tcp -> 10.42.0.10:99999"
    with pytest.raises(Unreadable) as caught:
        forwards.short(text)
    parts = [text[flaw.start : flaw.end] for flaw in caught.value.flaws]
    assert parts == ["70000", "99999"]


@pytest.mark.parametrize("text", ["192.0.2.10/24", "10.0.0.0/31", "10.0.0.1/32", "2001:db8::/64"])
def test_interface_address_is_kept(text: str) -> None:
    assert values.interface(text) == ip_interface(text)


@pytest.mark.parametrize("text", ["10.42.0.0/24", "fd00::/8"])
def test_network_is_kept(text: str) -> None:
    assert values.network(text) == ip_network(text)


def test_a_source_may_be_everyone_of_a_family() -> None:
    assert values.source("0.0.0.0/0") == ip_network("0.0.0.0/0")


@pytest.mark.parametrize("name", ["e", "ens3", "br-lan", "a" * 15, "eth0.100", "wlan0@x", "网"])
def test_interface_name_is_kept(name: str) -> None:
    assert values.interface_name(name) == name


@pytest.mark.parametrize("name", ["à", "a\u2028b", "a\x00b", 'a"b', "eth*", "a\\b", "é" * 8])
def test_interface_name_that_kernel_or_ruleset_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        values.interface_name(name)


@pytest.mark.parametrize("name", ["ens3", "a.b", "wan_1", "网", "a" * 255])
def test_router_name_is_kept(name: str) -> None:
    assert values.router_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a/b", "a b", "a\x00", "a" * 256, "a\tb"])
def test_router_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        values.router_name(name)
