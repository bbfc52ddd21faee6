"""The options that name a packet: who sends what to whom."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError

_PORT = re.compile(r"(\d{1,5})/(tcp|udp|sctp)", re.ASCII)


def add_question(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--from", type=_ip, dest="source", metavar="ADDRESS",
        help="who sends it: the internet, a neighbour of the uplink, or somebody behind the router",
    )  # fmt: skip
    inside = parser.add_mutually_exclusive_group()
    inside.add_argument("--from-host", action="store_true", help="the host sends it")
    inside.add_argument(
        "--from-network", type=_network, metavar="NETWORK", help="somebody of this network does"
    )
    inside.add_argument(
        "--in", dest="by", metavar="LINK", help="it comes by this link, whoever says he sent it"
    )
    parser.add_argument("--to", type=_ip, required=True, metavar="ADDRESS", help="where it is sent")
    parser.add_argument(
        "--port", type=_port, required=True, metavar="PORT/PROTOCOL",
        help="8080/tcp, 53/udp, 5060/sctp; or icmp for an echo request",
    )  # fmt: skip
    parser.add_argument(
        "--source-port", type=_number, metavar="PORT", help="from which port (40000)"
    )
    parser.add_argument(
        "--live", action="store_true",
        help="ask the kernel itself: with a real packet, in throw-away namespaces as in rehearse",
    )  # fmt: skip
    parser.add_argument(
        "--router", metavar="NAME", help="which router of the spec; without: the one it is sent to"
    )


def _ip(text: str) -> object:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" is no IP address') from None


def _network(text: str) -> object:
    from ipaddress import ip_network

    try:
        return ip_network(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _port(text: str) -> tuple[str, int | None]:
    if text == "icmp":
        return "icmp", None
    found = _PORT.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f'"{text}" is no port; write 8080/tcp, 53/udp or icmp')
    return found[2], _number(found[1])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ArgumentTypeError(f"port {text} is not in 1-65535")
    return int(text)
