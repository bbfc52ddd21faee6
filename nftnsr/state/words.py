"""The words of nft(8) for what the compiler says, and of nftnsr for what it made."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

TABLE = ("inet", "nftnsr")
"""Family and name of the table that nftnsr keeps in a router's namespace."""

HANDOVER = ("ip", "nftnsr_handover")
"""That of the table beside it, while there are connections older than the router."""

_IN_HOST = ("nftnsr_handover_", "nftnsr_return_")
"""How the names of the host's tables begin, there for such connections; a router's name follows."""


def handover_table(router: str) -> tuple[str, str]:
    """The host's table for connections that are older than a router's last `apply`."""
    return ("ip", f"{_IN_HOST[0]}{router}")


def return_table(router: str) -> tuple[str, str]:
    """The host's table for connections that are older than its last `down`."""
    return ("ip", f"{_IN_HOST[1]}{router}")


def is_ours_in_host(table: tuple[str, str]) -> bool:
    family, name = table
    return family == "ip" and name.startswith(_IN_HOST)


def anonymous_set(elements: Iterable[str]) -> str:
    """`a`, or `{ a, b }` where there are several."""
    words = tuple(elements)
    return words[0] if len(words) == 1 else f"{{ {', '.join(words)} }}"


def nft_network(network: IPv4Network | IPv6Network) -> str:
    """A network as nft lists it: one address without its prefix length."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)
