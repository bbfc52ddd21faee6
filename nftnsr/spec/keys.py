"""Every key of a spec, documented once; the reader, the schema and the reference use this table.

Types and defaults are the model's: here stands what a person must know to write the key.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import frozen


class Kind(Enum):
    """What a key's value looks like in TOML."""

    UPLINK = auto()
    UPLINK_KIND = auto()
    UPLINK_MODE = auto()
    VLAN = auto()
    INTERFACE = auto()
    UPLINK_ADDRESSES = auto()
    INTERFACE_ADDRESSES = auto()
    INTERFACE_ADDRESS = auto()
    GATEWAYS = auto()
    NETWORKS = auto()
    SOURCES = auto()
    FORWARDS = auto()
    HOST = auto()
    FILTER = auto()
    FLAG = auto()
    COUNT = auto()
    LEVEL = auto()
    INBOUND_IPV6 = auto()
    LINK_LOCAL = auto()
    PORTS = auto()
    PROTOCOLS = auto()
    PUBLIC = auto()
    BALANCE = auto()
    LIMIT = auto()
    TARGETS = auto()
    NAME = auto()
    ONE_TO_ONE = auto()
    PREFIXES = auto()
    SNAT = auto()
    NETWORK = auto()
    POOL = auto()
    SOURCE_PORTS = auto()
    ROUTES = auto()
    RULES = auto()
    NEIGHBOURS = auto()
    DESTINATION = auto()
    ADDRESS = auto()
    ROUTE_TYPE = auto()
    ROUTING_TABLE = auto()
    SYSCTLS = auto()
    MTU = auto()
    MAC = auto()
    ALTNAMES = auto()
    DURATION = auto()
    MSS = auto()
    SERVICES = auto()
    EGRESS = auto()
    BLOCKLISTS = auto()
    RATE = auto()
    LOG_PREFIX = auto()
    LOG_GROUP = auto()


@frozen
class Key:
    """`field` is the model's name for the key, where it differs."""

    name: str
    kind: Kind
    doc: str
    example: str  # a value, as TOML
    required: bool = False
    field: str = ""

    @property
    def attribute(self) -> str:
        return self.field or self.name

    @property
    def line(self) -> str:
        return f"{self.name} = {self.example}"


def _by_name(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


ROUTER_KEYS: Final = _by_name(
    Key(
        "uplink",
        Kind.UPLINK,
        "The interface that moves from the host into the router's namespace; a table says how one "
        "is made instead.",
        '"ens3"',
        required=True,
    ),
    Key(
        "addresses",
        Kind.UPLINK_ADDRESSES,
        "The uplink's own addresses, each with its prefix length; a table says more of one.",
        '["192.0.2.10/24"]',
        required=True,
    ),
    Key(
        "gateways",
        Kind.GATEWAYS,
        "The next hops of the default routes, at most one of each address family. A gateway "
        "outside the uplink's prefixes is reached on-link.",
        '["192.0.2.1", "fe80::1"]',
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
    Key(
        "mtu",
        Kind.MTU,
        "The uplink's MTU in bytes while it is in the router; without it, the one it has.",
        "1450",
    ),
    Key(
        "mac",
        Kind.MAC,
        "The uplink's MAC address while it is in the router; without it, the one it has.",
        '"02:00:00:00:00:03"',
    ),
    Key(
        "altnames",
        Kind.ALTNAMES,
        "The uplink's alternative names while it is in the router (ip-link(8)); without it, those "
        "it has.",
        '["wan"]',
    ),
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

FILTER_KEYS: Final = _by_name(
    Key(
        "input",
        Kind.SERVICES,
        "The ports of the router itself that may be reached from the uplink's side. Once it is "
        "written, all else is dropped there but answers, neighbour discovery and `ping`.",
        '["9100/tcp"]',
    ),
    Key(
        "ping",
        Kind.FLAG,
        "Whether the router answers echo requests from the uplink's side where `input` is written.",
        "true",
    ),
    Key(
        "egress",
        Kind.EGRESS,
        "Where a network behind the router may go out to. One that is named here goes nowhere "
        "else; the others go anywhere.",
        '["10.42.0.0/24 -> 192.0.2.0/24", "10.42.0.0/24 -> 443/tcp"]',
    ),
    Key(
        "inbound",
        Kind.NETWORKS,
        "IPv6 networks behind the host that anybody may connect to.",
        '["2001:db8:42::/64"]',
    ),
    Key(
        "blocklists",
        Kind.BLOCKLISTS,
        "Files of networks, one a line, that nothing comes from and nothing goes to.",
        '{ drop = "drop.txt" }',
    ),
    Key(
        "bogons",
        Kind.FLAG,
        "Whether packets from networks that nobody on the internet has (RFC 6890) are dropped on "
        "the uplink; its own networks are not among them.",
        "true",
    ),
    Key(
        "reverse_path_ipv6",
        Kind.FLAG,
        "Whether IPv6 packets are dropped that come in by another link than answers to them would "
        "go out by, as rp_filter does it for IPv4.",
        "true",
    ),
    Key(
        "log_drops",
        Kind.RATE,
        "At most so many dropped packets are logged.",
        '"10/minute"',
    ),
    Key(
        "log_prefix",
        Kind.LOG_PREFIX,
        'What such a line begins with; "nftnsr" and the router\'s name unless it is written.',
        '"router dropped: "',
    ),
    Key(
        "log_group",
        Kind.LOG_GROUP,
        "The nflog group that gets the packets instead of the kernel's log, which takes those of "
        "namespaces only with net.netfilter.nf_log_all_netns = 1 on the host.",
        "5",
    ),
)

UPLINK_KEYS: Final = _by_name(
    Key(
        "name",
        Kind.INTERFACE,
        "The name of the uplink in the router's namespace; of a veth, that of its other end, too.",
        '"up0"',
        required=True,
    ),
    Key(
        "kind",
        Kind.UPLINK_KIND,
        "What is made: macvlan, ipvlan or vlan upon an interface of the host, or veth into one of "
        "its bridges.",
        '"macvlan"',
        required=True,
    ),
    Key(
        "parent",
        Kind.INTERFACE,
        "The interface of the host upon which it is made; the host keeps it.",
        '"ens3"',
    ),
    Key(
        "bridge",
        Kind.INTERFACE,
        "The bridge of the host into which the other end of the veth is put.",
        '"br0"',
    ),
    Key(
        "mode",
        Kind.UPLINK_MODE,
        "bridge, private or vepa of a macvlan; l2, l3 or l3s of an ipvlan. bridge and l2 without "
        "it.",
        '"bridge"',
    ),
    Key(
        "id",
        Kind.VLAN,
        "The number of the VLAN.",
        "100",
    ),
)

HOST_KEYS: Final = _by_name(
    Key(
        "interface",
        Kind.INTERFACE,
        "The name of the host's end of the veth pair.",
        '"vens3"',
        required=True,
    ),
    Key(
        "addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the host's end. An IPv6 address of the uplink's own prefix is written "
        "with /128.",
        '["192.168.158.2/24"]',
        required=True,
    ),
    Key(
        "router_addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the router's end.",
        '["192.168.158.1/24"]',
    ),
    Key(
        "router_interface",
        Kind.INTERFACE,
        "The name of the router's end; the same as `interface` unless it is written.",
        '"veth0"',
    ),
    Key(
        "networks",
        Kind.NETWORKS,
        "Networks that are reached through the host, such as those of containers and VMs.",
        '["10.42.0.0/24"]',
    ),
    Key(
        "default_route",
        Kind.FLAG,
        "Whether the host's default routes lead to the router.",
        "true",
    ),
    Key(
        "link_local",
        Kind.LINK_LOCAL,
        "The link-local IPv6 address of the host's end.",
        '"fe80::2"',
    ),
    Key(
        "router_link_local",
        Kind.LINK_LOCAL,
        "The link-local IPv6 address of the router's end.",
        '"fe80::1"',
    ),
    Key(
        "mtu",
        Kind.MTU,
        "The MTU of both ends of the veth pair, in bytes.",
        "1500",
    ),
    Key(
        "mac",
        Kind.MAC,
        "The MAC address of the host's end; without it, one made of the router's name.",
        '"02:00:00:00:00:04"',
    ),
    Key(
        "table",
        Kind.ROUTING_TABLE,
        "A routing table of the host's for the default routes that lead to the router, taken by "
        "what comes from the host's addresses here and from `networks`; everything else goes as "
        "before. It needs default_route = false.",
        "100",
    ),
)

ROUTE_KEYS: Final = _by_name(
    Key(
        "destination",
        Kind.DESTINATION,
        'A network, an address, or "default".',
        '"10.9.0.0/16"',
        required=True,
    ),
    Key(
        "via",
        Kind.ADDRESS,
        "The next hop.",
        '"192.0.2.9"',
    ),
    Key(
        "dev",
        Kind.INTERFACE,
        "The link: the uplink's name, or that of the router's end of the veth pair. Without it, "
        "the link in whose prefix the next hop is.",
        '"ens3"',
    ),
    Key(
        "metric",
        Kind.COUNT,
        "Of several routes to one destination that with the lowest metric is taken.",
        "5",
    ),
    Key(
        "table",
        Kind.ROUTING_TABLE,
        "The number of the routing table.",
        "100",
    ),
    Key(
        "source",
        Kind.ADDRESS,
        "The source address of what the router itself sends there.",
        '"192.0.2.10"',
    ),
    Key(
        "mtu",
        Kind.MTU,
        "The MTU of the path, in bytes.",
        "1400",
    ),
    Key(
        "type",
        Kind.ROUTE_TYPE,
        "unicast, or what becomes of packets that lead nowhere: blackhole (dropped), unreachable "
        "or prohibit (refused).",
        '"unicast"',
    ),
)

ADDRESS_KEYS: Final = _by_name(
    Key(
        "address",
        Kind.INTERFACE_ADDRESS,
        "The address with its prefix length.",
        '"192.0.2.10/24"',
        required=True,
        field="interface",
    ),
    Key(
        "noprefixroute",
        Kind.FLAG,
        "Whether the address comes without a route to its prefix.",
        "true",
    ),
    Key(
        "nodad",
        Kind.FLAG,
        "Whether an IPv6 address serves at once, without duplicate detection (RFC 4862), which "
        "takes 1-2 s.",
        "false",
    ),
    Key(
        "preferred_lifetime",
        Kind.DURATION,
        "How long after it was added the address is a source of new connections; 0s: never, it "
        "is deprecated from the start. For ever without it.",
        '"0s"',
    ),
    Key(
        "valid_lifetime",
        Kind.DURATION,
        "How long after it was added the address is there at all. For ever without it.",
        '"2h"',
    ),
)

FORWARD_KEYS: Final = _by_name(
    Key(
        "port",
        Kind.PORTS,
        'One port as a number, a range or a list as a string, "30000-30100" or "80,443", or an '
        "array of them.",
        "443",
        required=True,
        field="ports",
    ),
    Key(
        "protocol",
        Kind.PROTOCOLS,
        'tcp, udp or sctp, or several of them as "tcp+udp".',
        '"tcp"',
        field="protocols",
    ),
    Key(
        "address",
        Kind.PUBLIC,
        "The public address, or an array of them, that the forward is for. Without it, all of the "
        "uplink's.",
        '"192.0.2.10"',
        field="addresses",
    ),
    Key(
        "to",
        Kind.TARGETS,
        'The server: "10.42.0.10:80", "10.42.0.10", "[fd00::10]:80" or ":80" for another port of '
        "the host. A range may lead to another range of the same length. Without it, the host and "
        "the same port.",
        '"10.42.0.10:80"',
        field="targets",
    ),
    Key(
        "from",
        Kind.SOURCES,
        "Only these networks, and what is behind the router, may use the forward. Without it, "
        "everyone.",
        '["203.0.113.0/24"]',
        field="sources",
    ),
    Key(
        "name",
        Kind.NAME,
        "What reports and messages call the forward.",
        '"web"',
    ),
    Key(
        "hairpin",
        Kind.FLAG,
        "Whether the host and the networks behind it can use the forward by the public address.",
        "true",
    ),
    Key(
        "balance",
        Kind.BALANCE,
        "Which of several targets a new connection gets: always the same one for a client, by the "
        'hash of its address ("source"), or each in turn ("round-robin").',
        '"round-robin"',
    ),
    Key(
        "limit",
        Kind.LIMIT,
        "At most so many new connections of one source address (over IPv6, of one /64) from "
        "outside; what is more is dropped.",
        '"20/minute burst 5"',
    ),
    Key(
        "hide_client",
        Kind.FLAG,
        "Whether the server sees the router as its client, such as one whose answers would else "
        "go another way.",
        "true",
    ),
    Key(
        "enabled",
        Kind.FLAG,
        "Whether the forward is in force; one that is not only stays in the file.",
        "false",
    ),
)

SERVICE_KEYS: Final = _by_name(
    FORWARD_KEYS["port"],
    FORWARD_KEYS["protocol"],
    Key(
        "from",
        Kind.SOURCES,
        "Only these networks may reach the port. Without it, everyone.",
        '["203.0.113.0/24"]',
        field="sources",
    ),
)

SNAT_KEYS: Final = _by_name(
    Key(
        "from",
        Kind.NETWORK,
        "The network behind the router.",
        '"10.42.0.0/24"',
        required=True,
        field="network",
    ),
    Key(
        "to",
        Kind.POOL,
        'The public address, or a range of them, "198.51.100.8-198.51.100.15".',
        '"192.0.2.11"',
        required=True,
        field="first",
    ),
    Key(
        "persistent",
        Kind.FLAG,
        "Whether a client leaves with the same address of the range wherever it goes.",
        "true",
    ),
)
