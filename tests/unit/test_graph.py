"""Laws of the pictures: what they say, that nothing overflows, that any name can be drawn."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Network, ip_address, ip_interface, ip_network
from pathlib import Path
from xml.etree import ElementTree

import pytest
from attrs import evolve

from nftnsr.report.graph import Format, picture
from nftnsr.report.graph.facts import drawn
from nftnsr.report.graph.ink import NOTE, TITLE, width
from nftnsr.report.graph.lanes import lanes
from nftnsr.spec.model import (
    Blocklist,
    Egress,
    Filter,
    Forward,
    Inner,
    Ports,
    PrefixPair,
    Router,
    RoutingRule,
    Service,
    SourceNat,
    Spec,
    StaticRoute,
    Target,
    Uplink,
)
from tests.tools import need

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
NETWORK = ip_network("10.42.0.0/16")
PLAIN = Router(
    "wan",
    (Uplink("ens3", (ip_interface("192.0.2.10/24"),)),),
    Inner(
        "vens3",
        (ip_interface("192.168.158.2/24"),),
        (ip_interface("192.168.158.1/24"),),
        networks=(NETWORK,),
    ),
)
BOTH = evolve(
    PLAIN,
    uplinks=(Uplink("ens3", (*PLAIN.addresses, ip_interface("2001:db8::3/64"))),),
    host=evolve(
        PLAIN.host, addresses=(*PLAIN.host.addresses, ip_interface("2001:db8::2/128"))
    ),
)  # fmt: skip
NASTY = "<&>\"'`|#;*_{}[]\\é漢"


def forward(port: int, target: str | None = None, to: int | None = None, **more: object) -> Forward:
    address = None if target is None else ip_address(target)
    target = Target(address, None if to is None else Ports(to, to))
    return evolve(Forward((Ports(port, port),), targets=(target,)), **more)


def drawn_forwards(*forwards: Forward, router: Router = PLAIN) -> list[tuple[str, ...]]:
    found = lanes(evolve(router, forward=forwards))
    return [(*e.label, "->", e.target, *e.notes) for e in found if e.kind in ("forward", "more")]


def texts(router: Router) -> list[str]:
    root = ElementTree.fromstring(picture(Spec((router,))))
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_forwards_that_differ_in_their_port_alone_share_an_arrow() -> None:
    ports = [forward(p) for p in (22, 80, 443, 81, 82)] + [forward(53, protocols=("udp",))]
    assert drawn_forwards(*ports) == [("22, 80-82, 443/tcp", "53/udp", "->", "")]


def test_forwards_that_differ_in_anything_else_do_not() -> None:
    network = (ip_network("203.0.113.0/24"),)
    assert drawn_forwards(
        forward(22),
        forward(23, to=22),
        forward(24, "10.42.0.1"),
        forward(25, "10.42.0.1", 26),
        forward(27, sources=network),
        forward(28, name="web"),
        forward(29, hairpin=False),
    ) == [
        ("22/tcp", "->", ""),
        ("23/tcp", "->", ":22"),
        ("27/tcp", "->", "", "from 203.0.113.0/24"),
        ("28/tcp", "->", "", "web"),
        ("29/tcp", "->", "", "from outside only"),
        ("24/tcp", "->", "10.42.0.1"),
        ("25/tcp", "->", "10.42.0.1:26"),
    ]


def test_host_written_as_an_address_is_the_host() -> None:
    assert drawn_forwards(forward(22), forward(23, "192.168.158.2")) == [("22-23/tcp", "->", "")]


def test_many_forwards_to_one_server_are_one_arrow() -> None:
    many = [forward(20000 + n, "10.42.0.1", 1 + n) for n in range(3000)]
    assert drawn_forwards(*many) == [("20000-22999/tcp", "->", "10.42.0.1")]


def test_many_servers_are_cut_and_what_is_cut_is_counted() -> None:
    many = [forward(20000 + n, f"10.42.{n // 250}.{n % 250 + 1}") for n in range(3000)]
    found = drawn_forwards(*many, forward(22))
    assert len(found) == 12
    assert found[0] == ("22/tcp", "->", "")
    assert found[-1] == ("2990 more forwards", "->", "", "to 2990 more servers")


def test_picture_of_many_forwards_is_no_larger_than_of_a_dozen() -> None:
    many = tuple(forward(20000 + n, f"10.42.{n // 250}.{n % 250 + 1}") for n in range(3000))
    for form in ("svg", "mermaid", "dot"):
        dozen = picture(Spec((evolve(PLAIN, forward=many[:12]),)), form)
        assert len(picture(Spec((evolve(PLAIN, forward=many),)), form)) < len(dozen) + 500


def test_what_is_open_over_ipv6_is_drawn_as_the_filter_has_it() -> None:
    def opened(router: Router) -> list[tuple[str, ...]]:
        return [lane.label for lane in lanes(router) if lane.kind == "open"]

    closed = evolve(BOTH, inbound_ipv6="forwards", forward=(forward(22), forward(80, to=81)))
    assert opened(PLAIN) == []
    assert opened(BOTH) == [("IPv6, all ports",)]
    assert opened(closed) == [("IPv6: ping", "22/tcp")]
    assert opened(evolve(closed, forward_filter=False)) == [("IPv6, all ports",)]


def test_networks_that_are_open_are_drawn_as_such() -> None:
    inner, part = ip_network("2001:db8:1::/64"), ip_network("2001:db8:1::/80")
    host = evolve(BOTH.host, networks=(inner,))
    for network, target in ((inner, ""), (part, "2001:db8:1::/80")):
        found = lanes(evolve(BOTH, host=host, filter=Filter(inbound=(network,))))
        assert [e.target for e in found if e.kind == "open" and e.place == inner] == [target]


def test_what_leaves_is_drawn_as_it_is_seen_outside() -> None:
    def leaving(router: Router) -> list[str]:
        return [note for lane in lanes(router) if lane.kind == "outward" for note in lane.notes]

    assert leaving(BOTH) == ["IPv4 leaves as 192.0.2.10", "IPv6 leaves as it is"]
    assert leaving(evolve(PLAIN, masquerade=False)) == ["IPv4 leaves as it is"]


def test_duties_are_those_of_the_spec() -> None:
    assert drawn(PLAIN).duties == (
        "only what is drawn here passes",
        "invalid packets are dropped",
    )
    free = evolve(BOTH, forward_filter=False, drop_invalid=False, forward=(forward(22),))
    assert drawn(free).duties == ("forwards work from inside, too", "answers NDP for 2001:db8::2")
    bare = evolve(free, hairpin=False, proxy_ndp=False)
    assert drawn(bare).duties == ()
    asked = Filter(
        input=(Service((Ports(53, 53),), ("tcp", "udp")),),
        egress=(Egress(NETWORK, ports=(Ports(80, 80),)), Egress(NETWORK, ports=(Ports(81, 81),))),
        bogons=True,
        blocklists=(Blocklist("spam", "spam.txt", (), "spam.txt"),),
    )
    assert drawn(evolve(bare, filter=asked, mss_clamp=True)).duties == (
        "kept out: bogons, list spam",
        "open of its own: ping, 53/tcp, 53/udp",
        "only some ways out: 10.42.0.0/16",
        "TCP is told what fits through the uplink",
    )


def test_routes_and_rules_of_its_own_are_in_the_words_of_the_spec() -> None:
    route = StaticRoute(ip_network("10.9.0.0/16"), ip_address("192.0.2.9"), table=7)
    rule = RoutingRule(ip_network("10.42.0.0/24"), table=7)
    bare = evolve(PLAIN, forward_filter=False, drop_invalid=False, routes=(route,), rules=(rule,))
    assert drawn(bare).duties == (
        "route 10.9.0.0/16 via 192.0.2.9 table 7",
        "rule from 10.42.0.0/24 lookup 7",
    )


def test_long_lists_are_cut_and_what_is_cut_is_counted() -> None:
    networks = tuple(ip_network(f"10.{n}.0.0/16") for n in range(50, 80))
    quiet = drawn(evolve(PLAIN, host=evolve(PLAIN.host, networks=networks))).quiet
    assert (len(quiet), quiet[-1]) == (6, "and 25 more")


@pytest.mark.parametrize("form", ["svg", "mermaid", "dot"])
def test_any_name_can_be_drawn(form: Format) -> None:
    router = evolve(
        PLAIN, name=NASTY, forward=(forward(22, name=NASTY),),
        uplinks=(evolve(PLAIN.uplinks[0], dev=NASTY),),
        host=evolve(PLAIN.host, interface=NASTY),
    )  # fmt: skip
    said = picture(Spec((router,)), form)
    match form:
        case "svg":
            assert {f"namespace {NASTY}", NASTY} <= set(texts(router))
        case "mermaid":
            labels = re.findall(r'"([^"]*)"', said)
            plain = [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label) for label in labels]
            assert f"namespace {NASTY}" in plain
            assert all(line.count('"') % 2 == 0 for line in said.splitlines())
        case "dot":
            assert "<&amp;>\\\"'`|#;*_{}[]\\\\é漢" in said


def test_graphviz_reads_any_name() -> None:
    need("dot")
    router = evolve(PLAIN, name=NASTY, forward=(forward(22, name=NASTY),))
    said = picture(Spec((router,)), "dot")
    done = subprocess.run(["dot", "-Tsvg"], input=said, capture_output=True, text=True, check=True)
    assert f"namespace {NASTY}" in {e.text for e in ElementTree.fromstring(done.stdout).iter()}


def test_picture_is_self_contained_and_describes_itself() -> None:
    said = picture(Spec((BOTH,)))
    root = ElementTree.fromstring(said)
    assert root.findtext(f"{SVG}title") == "Router wan"
    assert "192.0.2.10/24" in (root.findtext(f"{SVG}desc") or "")
    assert said.count("http") == 1, "the name of the XML namespace alone"
    assert not {"script", "image", "use", "a"} & {e.tag.removeprefix(SVG) for e in root.iter()}
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")


def test_several_routers_stand_below_each_other_in_one_machine() -> None:
    other = evolve(PLAIN, name="lan", uplinks=(evolve(PLAIN.uplinks[0], dev="ens4"),))
    both = picture(Spec((other, PLAIN)))
    assert both.count(">this machine<") == both.count(">internet<") == both.count(">host<") == 1
    assert both.index(">namespace lan<") < both.index(">namespace wan<")
    assert not list(illegible(Spec((other, PLAIN))))


WIDE = evolve(
    BOTH,
    name="n" * 60,
    uplinks=(
        Uplink(
            dev="w" * 15,
            addresses=(ip_interface("2001:db8:1111:2222:3333:4444:5555:6666/64"),),
            gateways=(ip_address("2001:db8:1111:2222:3333:4444:5555:7777"),),
        ),
    ),
    forward=tuple(
        forward(20000 + 2 * n, "10.42.0.1", sources=(ip_network(f"10.9.{n}.0/24"),), name="x" * 64)
        for n in range(30)
    ),
)


CROWDED = evolve(
    BOTH,
    forward=(forward(22), forward(80, "10.42.0.1"), forward(81, "10.50.0.1")),
    host=evolve(
        BOTH.host,
        networks=(NETWORK, *(ip_network(f"10.{n}.0.0/16") for n in range(50, 80))),
    ),
)  # fmt: skip


SHARED = evolve(
    BOTH,
    snat=tuple(
        SourceNat(ip_network(f"10.42.0.{n * 16}/28"), *[ip_address(f"203.0.113.{n}")] * 2)
        for n in range(9)
    ),
    no_nat=tuple(ip_network(f"10.{n}.0.0/16") for n in range(100, 120)),
)


def test_networks_that_leave_as_others_are_drawn_until_there_are_too_many() -> None:
    (lane,) = (lane for lane in drawn(SHARED).lanes if lane.kind == "outward")
    assert "10.42.0.0/28 as 203.0.113.0" in lane.notes
    assert "and 6 more networks as others" in lane.notes
    assert lane.notes[-1] == "untranslated to 10.100.0.0/16, +19"


def test_prefix_leads_to_every_network_in_it_and_to_a_part_of_one() -> None:
    networks = tuple(map(ip_network, ("fd00:1:0:1::/64", "fd00:1:0:2::/64", "fd00:2::/32")))
    pairs = (("2001:db8:7::/56", "fd00:1::/56"), ("2001:db8:8::/64", "fd00:2:5::/64"))
    router = evolve(
        BOTH,
        host=evolve(BOTH.host, networks=networks),
        prefix_translation=tuple(PrefixPair(*map(IPv6Network, pair)) for pair in pairs),
    )
    found = {(lane.label, lane.place, lane.target) for lane in drawn(router).lanes}
    assert {
        (("2001:db8:7:1::/64",), networks[0], ""),
        (("2001:db8:7:2::/64",), networks[1], ""),
        (("2001:db8:8::/64",), networks[2], "fd00:2:5::/64"),
    } <= found


@pytest.mark.parametrize("router", [PLAIN, BOTH, WIDE, CROWDED, SHARED])
def test_every_word_has_its_place(router: Router) -> None:
    assert not list(illegible(Spec((router,))))


def illegible(spec: Spec) -> Iterator[str]:
    """The words that are not wholly inside the picture, or run into others."""
    root = ElementTree.fromstring(picture(spec))
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    placed: list[tuple[float, float, float]] = []
    for each in root.iter(f"{SVG}text"):
        x, y = float(each.attrib["x"]), float(each.attrib["y"])
        cell = {"note": NOTE, "title": TITLE}.get(each.attrib.get("class", ""))
        long = width(each.text or "", cell) if cell else width(each.text or "")
        left = x - long / 2 if each.attrib.get("text-anchor") == "middle" else x
        near = (p for p in placed if abs(p[0] - y) < 12)  # the height of a line, and less
        into = any(left < end and start < left + long for _, start, end in near)
        if into or left < 0 or left + long > wide or not 0 < y < high:
            yield each.text or ""
        placed.append((y, left, left + long))


# -- the command -----------------------------------------------------------------------------


def nftnsr(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nftnsr", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_command_prints_the_picture_or_writes_it(tmp_path: Path) -> None:
    spec, file = ROOT / "rulesets" / "article.toml", tmp_path / "a.svg"
    printed = nftnsr("graph", spec)
    written = nftnsr("graph", spec, "--output", file)
    assert (printed.returncode, written.returncode, written.stdout) == (0, 0, "")
    assert file.read_text(encoding="utf-8") == printed.stdout
    assert printed.stdout.startswith("<svg ")


def test_command_prints_one_document_for_programs() -> None:
    done = nftnsr("graph", "--json", "--format", "dot", "rulesets/article.toml")
    document = json.loads(done.stdout)
    assert document["format"] == "dot"
    assert document["picture"].startswith("digraph")


def test_command_says_why_it_cannot_write(tmp_path: Path) -> None:
    done = nftnsr("graph", "rulesets/article.toml", "-o", tmp_path / "no" / "a.svg")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"nftnsr: {tmp_path}/no/a.svg: No such file or directory\n"
