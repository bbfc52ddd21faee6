"""The provider's border: what a router must never let out is counted there, and dropped."""

from __future__ import annotations

import json
from ipaddress import ip_address

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.nftables import library
from nftnsr.rehearsal.scene import Segment
from nftnsr.rehearsal.wiring import UPLINK_PORT
from nftnsr.spec.model import Address

# As sources on the wire these are right: a client before it has an address, a neighbour at work.
_RULESET = """
table netdev border
delete table netdev border
table netdev border {{
    set leaked4 {{
        type ipv4_addr
        size 65536
        flags dynamic
    }}
    set leaked6 {{
        type ipv6_addr
        size 65536
        flags dynamic
    }}
    chain ingress {{
        type filter hook ingress device "{port}" priority 0; policy accept;
        ip saddr != {{ 0.0.0.0, {allowed} }} {translated}update @leaked4 {{ ip saddr counter }} drop
        ip6 saddr {{ ::, fe80::/10 }} meta l4proto icmpv6 accept
        ip6 saddr {{ ::/8, fc00::/7, fe80::/10 }} update @leaked6 {{ ip6 saddr counter }} drop
    }}
}}
"""

# Why else would the spec name their MACs?
_SILENT = """
table arp border
delete table arp border
table arp border {{
    chain input {{
        type filter hook input priority 0; policy accept;
        arp operation request arp daddr ip {{ {silent} }} drop
    }}
}}
"""


def guard(segment: Segment) -> None:
    """Count, from now on, what comes from the uplink with a source that is none of the router's.

    Next hops whose MAC the spec names answer no ARP.
    """
    allowed = ", ".join(allowed_ipv4(segment)) or "0.0.0.0"
    exempt = ", ".join(str(n) for n in segment.router.no_nat if n.version == 4)
    translated = f"ip daddr != {{ {exempt} }} " if exempt else ""
    _run(_RULESET.format(port=UPLINK_PORT, allowed=allowed, translated=translated))
    known = [n.address for n in segment.router.neighbours if n.mac == segment.next_hop_mac]
    silent = [str(ip) for ip in known if ip.version == 4 and ip in segment.next_hops]
    if silent:
        _run(_SILENT.format(silent=", ".join(silent)))


def leaked() -> dict[Address, int]:
    """The sources that did leave, each with its number of packets."""
    found: dict[Address, int] = {}
    for name in ("leaked4", "leaked6"):
        listing = json.loads(_run(f"list set netdev border {name}", as_json=True))
        elements = listing["nftables"][1]["set"].get("elem", [])
        for element in (e["elem"] for e in elements):
            found[ip_address(element["val"])] = element["counter"]["packets"]
    return found


def allowed_ipv4(segment: Segment) -> list[str]:
    """The sources that may leave: the uplink's own, and others only where nothing masquerades."""
    router = segment.router
    links = router.links if not router.masquerade else ()
    inside = [i.ip for link in links for i in link.addresses]
    sources = [
        str(ip) for ip in (*(i.ip for i in segment.uplink.addresses), *inside) if ip.version == 4
    ]
    networks = [n for link in links for n in link.networks]
    sources += [str(pair.public) for pair in router.one_to_one if segment.owns(pair.public)]
    sources += [nat.pool for nat in router.snat if segment.owns(nat.first)]
    sources += [str(n) for n in networks if n.version == 4]
    return [s for s in dict.fromkeys(sources) if ":" not in s]


def _run(commands: str, *, as_json: bool = False) -> str:
    nft = library()
    nft.set_json_output(as_json)
    code, output, errors = nft.cmd(commands)
    if code != 0:
        raise KernelError(f"the kernel refused the provider's ruleset:\n{errors.strip()}")
    return str(output)
