"""What is tried follows from the spec alone; nothing here needs a kernel."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve

from nftnsr.rehearsal.addresses import free
from nftnsr.rehearsal.expectations import closing_probes, probes, timed_probes
from nftnsr.rehearsal.outcome import Rehearsal, Result, Seconds, Untried
from nftnsr.rehearsal.probes import Probe, Reach
from nftnsr.rehearsal.scene import HOST
from nftnsr.rehearsal.staging import Unstaged, stage
from nftnsr.report.rehearsal import rehearsal_json, rehearsal_text
from nftnsr.spec.model import Forward, Inner, Ports, Rate, Router, Setting, Spec, Target, Uplink

ROUTER = Router(
    name="ens3",
    uplinks=(
        Uplink(
            dev="ens3",
            addresses=(ip_interface("198.51.100.4/24"), ip_interface("2001:db8:ffff::3/64")),
            gateways=(ip_address("198.51.100.1"), ip_address("fe80::1")),
        ),
    ),
    host=Inner(
        interface="vens3",
        addresses=(ip_interface("192.168.158.2/24"), ip_interface("2001:db8:ffff::2/128")),
        router_addresses=(ip_interface("192.168.158.1/24"),),
        networks=(ip_network("10.42.0.0/24"),),
    ),
    forward=(Forward((Ports(22, 22),)), Forward((Ports(30000, 30100),))),
)


def derived(router: Router) -> tuple[list[Probe], list[Untried]]:
    scene = stage(Spec((router,)))
    every = [*timed_probes(scene), *probes(scene), *closing_probes(scene)]
    return (
        [p for p in every if not isinstance(p, Untried)],
        [p for p in every if isinstance(p, Untried)],
    )


def kinds(router: Router) -> set[str]:
    return {p.kind for p in derived(router)[0]}


def test_nobody_gets_an_address_of_the_spec() -> None:
    scene = stage(Spec((ROUTER,)))
    named = {i.ip for i in (*ROUTER.addresses, *ROUTER.host.addresses)} | set(ROUTER.gateways)
    assert not {i.ip for s in scene.segments for i in s.neighbours} & named
    for far in scene.far:
        assert not any(far in i.network for i in (*ROUTER.addresses, *ROUTER.host.addresses))


def test_ends_and_middle_of_a_range_are_tried() -> None:
    ports = {p.port for p in derived(ROUTER)[0] if isinstance(p, Reach) and p.kind == "in"}
    assert {30000, 30050, 30100} <= ports


@pytest.mark.parametrize(
    ("router", "gone"),
    [
        (evolve(ROUTER, hairpin=False), "hairpin"),
        (evolve(ROUTER, forward_filter=False), "transit"),
        (evolve(ROUTER, drop_invalid=False), "leak"),
        (evolve(ROUTER, proxy_ndp=False), "ndp"),
    ],
)
def test_what_is_switched_off_is_not_promised(router: Router, gone: str) -> None:
    assert gone in kinds(ROUTER)
    assert gone not in kinds(router)


def test_forward_with_sources_lets_in_one_client_and_keeps_out_another() -> None:
    web = Forward((Ports(443, 443),), sources=(ip_network("203.0.113.0/24"),))
    tried = [
        p
        for p in derived(evolve(ROUTER, forward=(web,)))[0]
        if isinstance(p, Reach) and p.address.version == 4 and p.port == 443
    ]
    welcome = {p.origin.address for p in tried if p.kind == "in"}
    strangers = {p.origin.address for p in tried if p.kind == "closed"}
    assert welcome == {ip_address("203.0.113.1")}
    assert strangers and not any(a in web.sources[0] for a in strangers if a)


def test_what_no_client_can_show_is_told() -> None:
    everybody = Forward((Ports(443, 443),), sources=(ip_network("0.0.0.0/0"),))
    _, untried = derived(evolve(ROUTER, forward=(everybody,)))
    assert "outside of its sources" in untried[0].reason


def test_router_of_one_family_is_tried_in_that_family() -> None:
    host = evolve(ROUTER.host, addresses=ROUTER.host.addresses[:1])
    (uplink,) = ROUTER.uplinks
    uplink = evolve(uplink, addresses=uplink.addresses[:1], gateways=uplink.gateways[:1])
    only_ipv4 = evolve(ROUTER, uplinks=(uplink,), host=host)
    tried, untried = derived(only_ipv4)
    assert {p.address.version for p in tried} == {4}
    assert untried == []


@pytest.mark.parametrize(
    ("named", "quiet"),
    [
        ([], 2049),
        ([(2049, 2049), (2051, 3000)], 2050),
        ([(2000, 2048), (2049, 4000), (3000, 5000)], 5001),
        ([(1024, 65535)], 1),
        ([(1, 10), (12, 65535)], 11),
    ],
)
def test_quiet_port_is_one_that_nobody_names(named: list[tuple[int, int]], quiet: int) -> None:
    forward = tuple(Forward((Ports(*each),)) for each in named)
    assert stage(Spec((evolve(ROUTER, forward=forward),))).quiet_port == quiet


def test_rehearsal_needs_one_port_that_is_closed() -> None:
    everything = evolve(ROUTER, forward=(Forward((Ports(1, 65535),)),))
    with pytest.raises(Unstaged, match="every port"):
        stage(Spec((everything,)))


def test_what_no_packet_shows_is_told_once() -> None:
    router = evolve(
        ROUTER,
        forward=(Forward((Ports(443, 443),), synproxy=True),),
        source_ports="random",
        accept_ra=2,
        helpers=("ftp",),
        sysctls=(Setting("net/ipv4/ip_default_ttl", "65"),),
        filter=evolve(ROUTER.filter, log_drops=Rate(10, "minute")),
    )
    told = [each.name for each in derived(router)[1]]
    assert told == [
        "helper ftp",
        "log_drops",
        "source_ports random",
        "accept_ra 2",
        "sysctl net.ipv4.ip_default_ttl",
        "443/tcp, synproxy",
    ]


def test_target_on_the_veth_is_the_host() -> None:
    target = ip_address("192.168.158.77")
    router = evolve(ROUTER, forward=(Forward((Ports(80, 80),), targets=(Target(target),)),))
    assert stage(Spec((router,))).place_of(target) == HOST


@pytest.mark.parametrize(
    ("network", "taken", "expected"),
    [
        ("10.0.0.0/24", [], "10.0.0.1"),
        ("10.0.0.0/24", ["10.0.0.0/25"], "10.0.0.128"),
        ("10.0.0.0/30", ["10.0.0.1/32", "10.0.0.2/32"], None),
        ("10.0.0.8/32", [], "10.0.0.8"),
        ("10.0.0.8/31", ["10.0.0.8/32"], "10.0.0.9"),
        ("0.0.0.0/0", ["0.0.0.0/0"], None),
        ("2001:db8::/64", ["2001:db8::/65"], "2001:db8:0:0:8000::"),
    ],
)
def test_free_address(network: str, taken: list[str], expected: str | None) -> None:
    found = free(ip_network(network), [ip_network(t) for t in taken])
    assert found == (None if expected is None else ip_address(expected))


REHEARSAL = Rehearsal(
    (
        Result("ens3", "in", "192.0.2.1:22/tcp from internet", "one", "one", True, 1.2),
        Result("ens3", "hairpin", "192.0.2.1:22/tcp from host", "one", "refused", False, 3.4),
    ),
    (Untried("ens3", "22/tcp", "there is no gateway"),),
    Seconds(0.2, 0.1, 0.5),
)


def test_report_tells_what_failed_and_what_was_not_tried() -> None:
    assert rehearsal_text(REHEARSAL) == (
        "ens3:\n"
        "  FAILED      3 ms  hairpin  192.0.2.1:22/tcp from host\n"
        "                    expected: one\n"
        "                    seen:     refused\n"
        "\n"
        "  untried ens3: 22/tcp: there is no gateway\n"
        "\n"
        "1 of 2 probes passed, 1 failed (1 hairpin), 1 untried "
        "(world 0.2 s, apply 0.1 s, probes 0.5 s)\n"
    )
    assert rehearsal_text(REHEARSAL, failed=False).startswith("  untried ens3: 22/tcp")
    assert rehearsal_json(REHEARSAL)["ok"] is False
