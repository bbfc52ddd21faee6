"""The keys of `[router.NAME.filter]`."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

FILTER_KEYS: Final = by_name(
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
        "IPv6 networks behind the host, and addresses of further inner links, that anybody may "
        "connect to.",
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
