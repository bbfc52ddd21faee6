"""The metrics say what was found and counted."""

from __future__ import annotations

import re

from nftnsr.report.metrics import KINDS, Checked, metrics_text
from nftnsr.report.usage import Usage, usage, usage_without_spec
from nftnsr.spec import parse
from nftnsr.state.ruleset import Counter

_SAMPLE = re.compile(r"(\w+)\{(.*)\} ([0-9.]+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Sample = tuple[str, frozenset[tuple[str, str]]]

SPEC = """
[router.ens3]
uplink    = "ens3"
addresses = ["1.2.3.4/24", "2123:2134:abc:ddd::3/64"]
forward   = [
  "22/tcp",
  "100-300/udp",
  { port = 443, from = ["203.0.113.0/24"], name = "web" },
  "80/tcp -> 10.42.0.3:8080",
  "80/tcp -> [fd00:42::3]:8080",
]
[router.ens3.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2123:2134:abc:ddd::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24", "fd00:42::/64"]
"""
ROUTER = parse(SPEC, "spec.toml").routers[0]
CONNECTIONS: tuple[Counter, ...] = (
    ("forward_ipv4", "tcp . 22", "192.168.158.2 . 22", 3, 180),
    ("forward_ipv4", "tcp . 80", "10.42.0.3 . 8080", 5, 300),
    ("forward_ipv4_ranges", "udp . 100-300", "192.168.158.2", 7, 700),
    ("forward_ipv4_sources", "203.0.113.0/24 . tcp . 443", "192.168.158.2 . 443", 1, 60),
    ("forward_ipv4_sources", "192.168.158.2 . tcp . 443", "192.168.158.2 . 443", 2, 120),
    ("forward_ipv6", "tcp . 22", "2123:2134:abc:ddd::2 . 22", 1, 80),
    ("forward_ipv6", "tcp . 80", "fd00:42::3 . 8080", 4, 320),
)
TRAFFIC: tuple[Counter, ...] = (
    ("traffic", "ipv4 . tcp . 22", "", 30, 1800),
    ("traffic", "ipv6 . tcp . 22", "", 10, 800),
    ("traffic", "ipv4 . tcp . 443", "", 9, 900),
    ("traffic", "ipv4 . tcp . 80", "", 50, 3000),
    ("traffic", "ipv6 . tcp . 80", "", 40, 3200),
    # Cut where another range began.
    ("traffic_ranges", "ipv4 . udp . 100-199", "", 70, 7000),
    ("traffic_ranges", "ipv4 . udp . 200-300", "", 5, 500),
    ("traffic_ranges", "ipv4 . udp . 301-400", "", 1, 1),
)
FLOWS = {
    ("ipv4", "tcp", 22): 2, ("ipv6", "tcp", 22): 1, ("ipv4", "udp", 100): 3,
    ("ipv4", "udp", 300): 1, ("ipv4", "udp", 301): 9, ("ipv6", "tcp", 80): 4,
}  # fmt: skip


def samples(text: str) -> dict[Sample, float]:
    """Every sample; that Prometheus' own parser reads the same is tried with a real file."""
    found = (_SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#"))
    return {
        (m[1], frozenset((k, re.sub(r"\\(.)", r"\1", v)) for k, v in _LABEL.findall(m[2]))): float(
            m[3]
        )
        for m in found
        if m is not None
    }


def at(name: str, **labels: str) -> Sample:
    return name, frozenset({"router": "ens3", **labels}.items())


def checked(*forwards: Usage, **differences: int) -> Checked:
    return Checked("ens3", differences, 1795602554.25, 0.5, None, forwards)


def test_usage_is_that_of_each_forward_in_its_own_families() -> None:
    assert usage(ROUTER, CONNECTIONS + TRAFFIC, FLOWS) == (
        Usage("22/tcp", None, 4, 40, 2600, 3),
        Usage("100-300/udp", None, 7, 75, 7500, 4),
        Usage("443/tcp", "web", 3, 9, 900, 0),
        Usage("80/tcp -> 10.42.0.3:8080", None, 5, 50, 3000, 0),
        Usage("80/tcp -> [fd00:42::3]:8080", None, 4, 40, 3200, 4),
    )


def test_range_that_is_counted_port_by_port_is_the_sum_of_its_ports() -> None:
    """A range that leads to other ports is a row of single elements."""
    row: tuple[Counter, ...] = tuple(
        ("forward_ipv4", f"udp . {port}", f"10.42.0.3 . {port + 1000}", 1, 28)
        for port in range(99, 302)
    )
    assert usage(ROUTER, row, {})[1].connections == 201


def test_what_is_not_counted_is_not_zero() -> None:
    found = usage(ROUTER, CONNECTIONS, {})
    assert {(u.packets, u.bytes) for u in found} == {(None, None)}
    text = metrics_text([checked(*found)])
    assert "nftnsr_forward_connections_total" in text
    assert "nftnsr_forward_packets_total" not in text
    assert "nftnsr_forward_bytes_total" not in text


def test_without_the_spec_each_element_tells_where_it_leads() -> None:
    found = {u.forward: u for u in usage_without_spec(CONNECTIONS + TRAFFIC, FLOWS)}
    assert found["80/tcp -> [fd00:42::3]:8080"] == Usage(
        "80/tcp -> [fd00:42::3]:8080", None, 4, 40, 3200, 4
    )
    assert found["443/tcp -> 192.168.158.2:443"].connections == 3
    assert next(iter(found)) == "22/tcp -> 192.168.158.2:22"


def test_every_sample_says_what_was_found() -> None:
    text = metrics_text([checked(*usage(ROUTER, CONNECTIONS + TRAFFIC, {}), route=2, sysctl=1)])
    read = samples(text)
    assert len(read) == sum(not line.startswith("#") for line in text.splitlines())
    assert read[at("nftnsr_in_sync")] == 0
    assert read[at("nftnsr_differences", kind="route")] == 2
    assert read[at("nftnsr_differences", kind="map")] == 0
    assert read[at("nftnsr_last_check_timestamp_seconds")] == 1795602554.25
    assert read[at("nftnsr_check_duration_seconds")] == 0.5
    assert at("nftnsr_last_apply_timestamp_seconds") not in read
    assert read[at("nftnsr_forward_connections_total", forward="web")] == 3
    assert read[at("nftnsr_forward_packets_total", forward="22/tcp")] == 40
    assert read[at("nftnsr_forward_bytes_total", forward="100-300/udp")] == 7500


def test_in_sync_is_said_with_every_kind_at_zero() -> None:
    read = samples(metrics_text([checked()]))
    assert read[at("nftnsr_in_sync")] == 1
    kinds = [dict(labels)["kind"] for name, labels in read if name == "nftnsr_differences"]
    assert sorted(kinds) == sorted(KINDS)


def test_labels_are_escaped_and_no_sample_comes_twice() -> None:
    forwards = (
        Usage('80/tcp -> "a\\b"', "same", 1, None, None, 0),
        Usage("81/tcp", "same", 2, None, None, 0),
        Usage("82/tcp", None, 3, None, None, 0),
        Usage("82/tcp", None, 3, None, None, 0),
    )
    text = metrics_text([checked(*forwards)])
    lines = [line for line in text.splitlines() if line.startswith("nftnsr_forward")]
    assert len(lines) == len(set(lines)) == 3
    labels = {dict(labels)["forward"] for _, labels in samples("\n".join(lines) + "\n")}
    assert labels == {'80/tcp -> "a\\b"', "81/tcp", "82/tcp"}
