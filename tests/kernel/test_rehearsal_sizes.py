"""Packets that are too large, and flows that are forgotten: a router that fails them is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nftnsr.kernel.isolation import isolate
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import Result, World, probe
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE, sh

FORWARDS = '"22/tcp", "8080/tcp -> 10.42.0.10:80"'
PODS = ARTICLE.replace('"22/tcp"', FORWARDS).replace(
    "[router.ens3.host]", 'CLAMP\n\n[router.ens3.host]\nnetworks = ["10.42.0.0/24"]'
)
MUTE = """
  add table inet mutant
  add chain inet mutant raw { type filter hook prerouting priority raw; }
  add rule inet mutant raw icmp type destination-unreachable drop
  add rule inet mutant raw icmpv6 type packet-too-big drop
"""
FORGETFUL = """
  flush chain inet nftnsr mss
  add table inet mutant
  add chain inet mutant nat { type nat hook postrouting priority srcnat - 1; }
  add rule inet mutant nat ip saddr 192.168.158.2 tcp flags & syn == 0 snat ip to 192.168.158.2
"""


def spec(clamp: str = "") -> Spec:
    return parse(PODS.replace("CLAMP", clamp), "spec.toml")


@contextmanager
def applied(spec: Spec) -> Iterator[World]:
    with Room.here() as twin:
        twin.run(isolate)
        with World(spec, twin) as world:
            twin.run(_apply, spec)
            yield world


def _apply(spec: Spec) -> None:
    with Machine() as machine:
        apply_spec(machine, spec)


def _load(ruleset: str) -> None:
    Path("/run/mutant.nft").write_text(ruleset)
    sh("ip netns exec ens3 nft -f /run/mutant.nft")


def failures(results: tuple[Result, ...]) -> list[str]:
    return [f"{r.kind} {r.name}: expected {r.expected}; {r.seen}" for r in results if not r.ok]


@pytest.mark.parametrize(
    ("clamp", "sizes"),
    [("mss_clamp = true", {4: 1460, 6: 1440}), ("mss_clamp = 1200", {4: 1200, 6: 1200})],
)
def test_segments_are_as_large_as_is_told(box: None, clamp: str, sizes: dict[int, int]) -> None:
    with applied(spec(clamp)) as world:
        results = probe(world)
    assert failures(results) == []
    tcp = [r for r in results if r.kind in ("in", "out") and r.name.split()[0].endswith("/tcp")]
    assert {r.kind for r in tcp} == {"in", "out"}
    for result in tcp:
        size = sizes[6 if result.name.startswith("[") else 4]
        assert result.expected.endswith(f"and segments of {size} bytes")


def test_router_that_lets_nobody_know_of_too_large_packets_is_noticed(box: None) -> None:
    with applied(spec()) as world:
        world.host.run(_load, MUTE)
        found = [f for f in failures(probe(world)) if f.startswith("size ")]
    for way in ("198.51.100.2:2049/tcp from host", "198.51.100.2:2049/tcp from inner host",
                "[2001:db8:ffff::2]:2049/tcp from host", "1.2.3.4:22/tcp from internet",
                "[2123:2134:abc:ddd::3]:22/tcp from internet",
                "1.2.3.4:8080/tcp from internet"):  # fmt: skip
        assert any(f.startswith(f"size {way}") for f in found), (way, found)


def test_large_segments_and_what_leaves_of_forgotten_flows_are_noticed(box: None) -> None:
    with applied(spec("mss_clamp = true")) as world:
        world.host.run(_load, FORGETFUL)
        found = failures(probe(world))
    for way in ("out 198.51.100.1:2049/tcp from inner host", "in 1.2.3.4:22/tcp from internet",
                "leak sources other than the router's"):  # fmt: skip
        assert any(f.startswith(way) for f in found), (way, found)
    assert any("segments of 8960 bytes" in f for f in found)
