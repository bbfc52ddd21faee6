"""The keys of a forward that is a table."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

FORWARD_KEYS: Final = by_name(
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
        "synproxy",
        Kind.FLAG,
        "Whether the router answers who wants to connect by TCP from outside, and troubles the "
        "server only with those who can be answered: so it is not reached by a flood of SYNs.",
        "true",
    ),
    Key(
        "nat",
        Kind.FLAG,
        "Whether the public address stands for the server; without NAT its own, global IPv6 "
        "address does, and the port of it is opened.",
        "false",
    ),
    Key(
        "enabled",
        Kind.FLAG,
        "Whether the forward is in force; one that is not only stays in the file.",
        "false",
    ),
)
