"""Settings of the namespace: what the spec says holds, and only there; what cannot is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nftnsr.transaction.apply import Refused

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_links import apply, down, drift

SETTINGS = """
[router.ens3.sysctls]
net.ipv4.conf.ens3.rp_filter = 2
net.ipv4.conf.ens3.log_martians = 1
net.ipv4.ip_default_ttl = 77
"net/ipv6/conf/vens3/hop_limit" = 63
"net.netfilter.nf_conntrack_udp_timeout" = 45
"net.ipv4.ip_local_port_range" = "10000 20000"
"""


def value(path: str, namespace: str = "ens3") -> str:
    inside = f"ip netns exec {namespace} " if namespace else ""
    return " ".join(sh(f"{inside}cat /proc/sys/{path}").split())


def test_settings_hold_in_the_router_and_not_in_the_host(segment: Segment) -> None:
    before, found = everything(), value("net/ipv4/ip_default_ttl", "")
    apply(ARTICLE + SETTINGS)
    assert value("net/ipv4/conf/ens3/rp_filter") == "2"
    assert value("net/ipv4/conf/vens3/rp_filter") == "1", "implied, and nobody spoke of it"
    assert value("net/ipv4/ip_local_port_range") == "10000 20000"
    assert value("net/netfilter/nf_conntrack_udp_timeout") == "45"
    assert value("net/ipv4/ip_default_ttl", "") == found
    # What the router itself sends bears it.
    assert "ttl=77" in sh("ping -c1 -W3 192.168.158.1")
    assert drift(ARTICLE + SETTINGS) == ()
    sh("ip netns exec ens3 sysctl -qw net.ipv4.ip_default_ttl=64")
    assert len(drift(ARTICLE + SETTINGS)) == 1
    apply(ARTICLE + SETTINGS)
    assert "ttl=77" in sh("ping -c1 -W3 192.168.158.1")
    down()
    assert_same(everything(), before)


def test_setting_of_no_spec_any_more_is_as_in_a_new_namespace(segment: Segment) -> None:
    apply(ARTICLE)
    plain = everything()
    apply(ARTICLE + SETTINGS)
    assert value("net/ipv4/ip_default_ttl") == "77"
    apply(ARTICLE)
    assert value("net/ipv4/ip_default_ttl") == "64"
    assert value("net/ipv4/ip_local_port_range") != "10000 20000"
    assert value("net/netfilter/nf_conntrack_udp_timeout") == "30"
    assert_same(everything(), plain)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("net.ipv4.no_such_thing = 1", "this kernel has no such setting"),
        ("net.ipv4.conf.ens3.no_such_thing = 1", "this kernel has no such setting"),
        ("net.ipv4.conf = 1", "it is no setting, but a directory of settings"),
        ("net.core.rmem_max = 1000000", "only the machine's first namespace can change it"),
        ('net.ipv4.ip_forward = "yes"', "the kernel refuses the value"),
        ("net.ipv4.tcp_syncookies = 70000", "the kernel refuses the value"),
        ('net.netfilter.nf_conntrack_udp_timeout = "0x10"', "the kernel makes 16 of that value"),
    ],
)
def test_setting_that_the_kernel_does_not_take_is_refused_before_anything(
    segment: Segment, line: str, reason: str
) -> None:
    before = everything()
    with pytest.raises(Refused) as refused:
        apply(f"{ARTICLE}\n[router.ens3.sysctls]\n{line}\n")
    (obstacle,) = refused.value.obstacles
    assert reason in obstacle.message
    assert line.split(" = ")[0] in obstacle.message
    assert_same(everything(), before)
    assert not Path("/var/lib/nftnsr/ens3.json").exists()
