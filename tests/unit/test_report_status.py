"""The page of `status`: what it says, in text and as a document."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve

from nftnsr.report.status import Page, status_json, status_text, title
from nftnsr.report.usage import Usage
from nftnsr.state.model import HOST, Address, Hop, Link, Namespace, Neighbour, Route

NOW = 1_000_000_000.0
SPACE = Namespace(
    (
        Link("lo"),
        Link("vens3", peer=(HOST, "vens3"), mac="02:00:00:00:00:aa", mtu=1500),
        Link("ens3", mac="02:00:00:00:00:03", mtu=1500),
        Address("ens3", ip_interface("1.2.3.4/24")),
        Address("ens3", ip_interface("2001:db8::3/64")),
        Address("vens3", ip_interface("192.168.158.1/24")),
        Route(ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("1.2.3.1")),)),
        Neighbour("ens3", ip_address("2001:db8::2"), proxy=True),
    )
)
HOSTS = Namespace((Link("vens3", up=False, peer=("ens3", "vens3"), mtu=1500),))
PAGE = Page(
    "ens3",
    0,
    NOW - 200,
    SPACE,
    HOSTS,
    frozenset({("ens3", "ens3")}),
    (
        Usage("22/tcp", None, 12, 3400, 5 * 1024 * 1024, 2),
        Usage("443/tcp", "web", 0, 0, 0, 0),
    ),
    (3, 1000),
)


def first(page: Page) -> str:
    return ", ".join(cell.text for cell in title(page, NOW))


def test_page_tells_links_routes_forwards_and_flows() -> None:
    lines = status_text(PAGE, NOW).splitlines()
    assert lines[0].startswith("router ens3: in sync, applied 3 minutes ago (2001-09-0")
    assert lines[1:] == [
        "",
        "  LINK         STATE        MTU  MAC                ADDRESSES",
        "  ens3         up          1500  02:00:00:00:00:03  1.2.3.4/24",
        "                                                    2001:db8::3/64",
        "  vens3        no carrier  1500  02:00:00:00:00:aa  192.168.158.1/24",
        "  host: vens3  down        1500",
        "",
        "  ROUTES",
        "  default via 1.2.3.1 dev ens3",
        "  answers for 2001:db8::2 on ens3",
        "",
        "  FORWARD       CONNECTIONS  FLOWS  PACKETS    BYTES",
        "  22/tcp                 12      2     3400  5.0 MiB",
        "  web: 443/tcp            0      0        0      0 B",
        "",
        "  3 flows tracked, of 1000 that can be (0 %)",
    ]


def test_what_is_not_counted_has_no_column() -> None:
    bare = evolve(PAGE, usage=(Usage("22/tcp", None, 12, None, None, 2),))
    assert "  FORWARD  CONNECTIONS  FLOWS\n  22/tcp            12      2\n" in status_text(
        bare, NOW
    )
    assert "PACKETS" not in status_text(bare, NOW)


@pytest.mark.parametrize(
    ("differences", "words"),
    [(0, "in sync"), (1, "1 difference (nftnsr diff)"), (7, "7 differences (nftnsr diff)"),
     (None, "no spec in /etc/nftnsr")],
)  # fmt: skip
def test_title_tells_how_far_the_kernel_is_from_the_spec(
    differences: int | None, words: str
) -> None:
    assert words in first(evolve(PAGE, differences=differences))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "5 s ago"), (60, "1 minute ago"), (7300, "2 hours ago"), (86400, "1 day ago"),
     (-3, "0 s ago")],
)  # fmt: skip
def test_title_tells_how_long_ago_it_was_applied(seconds: int, words: str) -> None:
    assert f"applied {words} (" in first(evolve(PAGE, applied=NOW - seconds))


def test_router_that_is_not_there_has_a_page_all_the_same() -> None:
    gone = Page("ens3", 30, None)
    assert status_text(gone, NOW) == "router ens3: not there\n"
    assert status_json(gone) == {
        "router": "ens3",
        "exists": False,
        "in_sync": False,
        "differences": 30,
        "last_apply": None,
    }


def test_document_holds_what_the_page_shows() -> None:
    document = status_json(PAGE)
    assert document["in_sync"] is True
    assert document["links"] == [
        {"namespace": "ens3", "name": "ens3", "up": True, "carrier": True, "mtu": 1500,
         "mac": "02:00:00:00:00:03", "addresses": ["1.2.3.4/24", "2001:db8::3/64"]},
        {"namespace": "ens3", "name": "vens3", "up": True, "carrier": False, "mtu": 1500,
         "mac": "02:00:00:00:00:aa", "addresses": ["192.168.158.1/24"]},
        {"namespace": None, "name": "vens3", "up": False, "carrier": False, "mtu": 1500,
         "mac": None, "addresses": []},
    ]  # fmt: skip
    assert document["routes"] == [
        {"namespace": "ens3", "route": "default via 1.2.3.1 dev ens3 proto 110"}
    ]
    assert document["proxied"] == [{"dev": "ens3", "address": "2001:db8::2"}]
    assert document["forwards"] == [
        {"forward": "22/tcp", "name": None, "connections": 12, "packets": 3400,
         "bytes": 5242880, "flows": 2},
        {"forward": "443/tcp", "name": "web", "connections": 0, "packets": 0, "bytes": 0,
         "flows": 0},
    ]  # fmt: skip
    assert (document["flows"], document["flows_max"]) == (3, 1000)
