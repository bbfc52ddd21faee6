"""The ways that nftnsr replaces: the article's commands, and nft with a table made anew."""

from __future__ import annotations

from collections.abc import Iterable

from tests.bench.world import GATEWAY, HOST, PUBLIC, ROUTER

_IN = f"ip netns exec {ROUTER}"

# "Using a network namespace as NAT router for a VPS", its hooks in the order in which ifup runs
# them. Its `ip neigh add proxy`, sysctls and IPv6 routes included; its typing errors not.
ARTICLE_UP = f"""
ip netns add {ROUTER} && ip link set ens3 netns {ROUTER}
{_IN} ip addr replace {PUBLIC}/24 dev ens3
{_IN} ip -6 addr replace 2123:2134:abc:ddd::3/64 dev ens3
{_IN} ip link set up dev ens3
{_IN} ip route replace default via {GATEWAY}
{_IN} ip -6 route replace default via 2123:2134:abc:ddd::1 dev ens3
{_IN} bash -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
{_IN} bash -c 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
{_IN} iptables -t nat -A POSTROUTING -o ens3 -j MASQUERADE
{_IN} bash -c 'echo 1 > /proc/sys/net/ipv6/conf/all/proxy_ndp'
{_IN} ip -6 neigh add proxy 2123:2134:abc:ddd::2 dev ens3
{_IN} iptables -t nat -A PREROUTING -d {PUBLIC} -p tcp --dport 22 -j DNAT --to-destination {HOST}
{_IN} iptables -t nat -A PREROUTING -d {PUBLIC} -p udp --dport 7007 -j DNAT --to-destination {HOST}
{_IN} iptables -t nat -A POSTROUTING -o vens3 -s {HOST} -j MASQUERADE
ip link add vens3 type veth peer vens3 netns {ROUTER}
{_IN} ip addr add 192.168.158.1/24 dev vens3
{_IN} ip -6 addr add fe80::1 dev vens3
{_IN} ip link set up dev vens3
ip addr add {HOST}/24 dev vens3
ip link set vens3 up
ip route replace default via 192.168.158.1
ip addr add 2123:2134:abc:ddd::2/64 dev vens3
ip -6 addr add fe80::2 dev vens3
ip -6 route replace default via fe80::1 dev vens3
{_IN} ip -6 route replace 2123:2134:abc:ddd::2/128 via fe80::2 dev vens3
"""


def iptables_rule(port: int, protocol: str = "tcp") -> str:
    """The article's rule for a forward, without the program's name and the table."""
    match = f"-d {PUBLIC} -p {protocol} --dport {port}"
    return f"-A PREROUTING {match} -j DNAT --to-destination {HOST}:{port}"


_MASQUERADE = "-A POSTROUTING -o ens3 -j MASQUERADE"


def iptables_restore(ports: Iterable[int]) -> str:
    """The same rules as iptables-restore reads them: one transaction."""
    return "\n".join(["*nat", _MASQUERADE, *map(iptables_rule, ports), "COMMIT", ""])


def iptables_again(*rules: str) -> str:
    """A script that flushes and adds again, one transaction for each line."""
    lines = ("-F PREROUTING", "-F POSTROUTING", _MASQUERADE, *rules)
    return "".join(f"iptables -t nat {line}\n" for line in lines)


def nft_anew(ruleset: str) -> str:
    """A ruleset whose table is deleted and made again in one transaction."""
    return f"add table inet nftnsr\ndelete table inet nftnsr\n{ruleset}"
