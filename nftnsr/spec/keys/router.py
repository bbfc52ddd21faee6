"""The keys of `[router.NAME]`."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name
from .uplink import UPLINK_KEYS

ROUTER_KEYS: Final = by_name(
    UPLINK_KEYS["uplink"],
    UPLINK_KEYS["addresses"],
    UPLINK_KEYS["gateways"],
    Key(
        "uplinks",
        Kind.UPLINKS,
        "Further uplinks, by name: other ways out, each with addresses and gateways of its own.",
        '{ lte = { uplink = "ens4", addresses = ["198.51.100.7/24"] } }',
    ),
    Key(
        "forward",
        Kind.FORWARDS,
        "The ports of the public addresses that lead to servers inside.",
        '["22/tcp", "8080/tcp -> 10.42.0.10:80"]',
    ),
    Key(
        "host",
        Kind.HOST,
        "The veth pair between the router and the host, and what lies behind the host.",
        '{ interface = "vens3", addresses = ["192.168.158.2/24"] }',
        required=True,
    ),
    Key(
        "inner",
        Kind.INNER,
        "Further links behind the router, by name: veth pairs to namespaces of somebody else's, or "
        "to the host.",
        '{ vm1 = { namespace = "vm1", interface = "eth0", addresses = ["fd00:43::2/64"] } }',
    ),
    Key(
        "strict",
        Kind.FLAG,
        "Whether what others put into the namespace is drift: routes, addresses, neighbours and "
        "rules are taken away by an apply, links and tables are told only.",
        "true",
    ),
    Key(
        "masquerade",
        Kind.FLAG,
        "Whether what leaves by the uplink over IPv4 gets the router's address as its source.",
        "true",
    ),
    Key(
        "one_to_one",
        Kind.ONE_TO_ONE,
        "Public addresses that are one host's inside, for every protocol, open and in both "
        "directions: it leaves with this address, too.",
        '["198.51.100.5 <-> 10.42.0.10"]',
    ),
    Key(
        "prefix_translation",
        Kind.PREFIXES,
        "Public IPv6 prefixes that stand for prefixes inside, address for address, open and in "
        "both directions (NPTv6). The provider routes them to the router.",
        '["2001:db8:7::/48 <-> fd00:1::/48"]',
    ),
    Key(
        "snat",
        Kind.SNAT,
        "The public address, or a range of them, as which a network inside leaves.",
        '["10.42.0.0/24 -> 198.51.100.8-198.51.100.15"]',
    ),
    Key(
        "no_nat",
        Kind.NETWORKS,
        "Destinations to which everybody leaves with their own address, such as those of a VPN.",
        '["10.8.0.0/24"]',
    ),
    Key(
        "source_ports",
        Kind.SOURCE_PORTS,
        "The ports of what is masqueraded or has an address of `snat`: kept where they are free, "
        'or chosen at random ("random", and harder to guess, "fully-random").',
        '"fully-random"',
    ),
    Key(
        "helpers",
        Kind.HELPERS,
        "Protocols whose connections announce others, which are let in and translated with them: "
        "ftp (21/tcp), sip (5060/udp and 5060/tcp), tftp (69/udp), where the server or the forward "
        "that leads to it has this port. Whoever is inside can so open ports to himself.",
        '["ftp"]',
    ),
    Key(
        "hairpin",
        Kind.FLAG,
        "Whether the host and the networks behind it can use the forwards by the public address.",
        "true",
    ),
    Key(
        "drop_invalid",
        Kind.FLAG,
        "Whether packets that connection tracking calls invalid are dropped, so that no private "
        "source address ever leaves.",
        "true",
    ),
    Key(
        "forward_filter",
        Kind.FLAG,
        "Whether only what is forwarded, or answers, may pass from the uplink, so that a "
        "neighbour on the same link cannot use the router for transit.",
        "true",
    ),
    Key(
        "counters",
        Kind.FLAG,
        "Whether the packets and bytes of each forward are counted, in both directions: one lookup "
        "more for every packet.",
        "true",
    ),
    Key(
        "inbound_ipv6",
        Kind.INBOUND_IPV6,
        'What may come in over IPv6 for the host\'s own addresses: all ("open") or only what '
        '`forward` names ("forwards").',
        '"forwards"',
    ),
    Key(
        "proxy_ndp",
        Kind.FLAG,
        "Whether the router answers neighbour discovery on the uplink for the host's addresses.",
        "true",
    ),
    Key(
        "proxy_delay",
        Kind.COUNT,
        "The longest delay of such an answer, in 1/100 s (net.ipv6.neigh.*.proxy_delay).",
        "0",
    ),
    Key(
        "accept_ra",
        Kind.LEVEL,
        "Whether the uplink takes addresses and routes from router advertisements "
        "(net.ipv6.conf.*.accept_ra): 0 never, 1 unless forwarding, 2 always.",
        "0",
    ),
    Key(
        "rp_filter",
        Kind.LEVEL,
        "The check of source addresses against the routes (net.ipv4.conf.*.rp_filter): 0 none, "
        "1 strict, 2 loose.",
        "1",
    ),
    UPLINK_KEYS["mtu"],
    UPLINK_KEYS["mac"],
    UPLINK_KEYS["altnames"],
    Key(
        "mss_clamp",
        Kind.MSS,
        "Whether TCP connections over the uplink are told a maximum segment size that fits: true "
        "for what the route's MTU leaves, or that size itself in bytes, for both directions.",
        "true",
    ),
    Key(
        "routes",
        Kind.ROUTES,
        "More routes of the router's namespace, in the words of ip-route(8) or as tables.",
        '["10.9.0.0/16 via 192.0.2.9", "blackhole 10.0.0.0/8"]',
    ),
    Key(
        "rules",
        Kind.RULES,
        "Which table routes what, in the words of ip-rule(8); in their order, the first at "
        "priority 1000, unless they say another.",
        '["from 10.42.0.0/24 lookup 100", "fwmark 0x1 lookup 101 priority 100"]',
    ),
    Key(
        "neighbours",
        Kind.NEIGHBOURS,
        "Static neighbours of the router, in the words of ip-neighbour(8).",
        '["192.0.2.77 lladdr 02:00:00:00:00:77"]',
    ),
    Key(
        "sysctls",
        Kind.SYSCTLS,
        "Kernel settings of the router's namespace, by the names that sysctl(8) takes; they "
        "override those that are implied.",
        '{ "net.netfilter.nf_conntrack_udp_timeout" = 60 }',
    ),
    Key(
        "filter",
        Kind.FILTER,
        "What may pass beyond what the router implies, and what may not.",
        "{ bogons = true }",
    ),
)
