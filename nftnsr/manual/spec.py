"""nftnsr.toml(5), from the schema of the spec."""

from __future__ import annotations

from typing import Final

from nftnsr import __version__
from nftnsr.manual.roff import bold, example, item, page, paragraph, section
from nftnsr.spec.reference import Row, Section, reference

_DESCRIPTION: Final = (
    "A spec says what the routers of a machine are. It is written in TOML (https://toml.io), in "
    "UTF-8. Each table `[router.NAME]` is a network namespace of this name. Nothing is coerced, "
    "and a key that is not known is an error; `nftnsr validate` reports every fault of a file with "
    "its place, the fact and the repair. What is not written is implied, and `nftnsr compile` "
    "shows it."
)
FORWARDS: Final = (  # each form that a string has, and where it leads
    ("22/tcp", "to the host, the same port"),
    ("80,443/tcp+udp", "several ports, several protocols: tcp, udp, sctp"),
    ("30000-32767/tcp", "a range, which keeps its ports"),
    ("8000-8010/tcp -> 10.42.0.10:9000-9010", "or is shifted, one to one"),
    ("8080/tcp -> 10.42.0.10:80", "to a server behind the host"),
    ("8443/tcp -> [fd00:42::10]:443", "the same over IPv6"),
    ("5353/udp -> :53", "to the host, another port"),
    ("192.0.2.10:25/tcp -> 10.42.0.25", "for one of the public addresses"),
)
EXAMPLE: Final = """\
[router.ens3]
uplink    = "ens3"
addresses = ["192.0.2.10/24", "2001:db8:1:2::3/64"]
gateways  = ["192.0.2.1", "fe80::1"]
forward   = [
  "22/tcp",
  "8080/tcp -> 10.42.0.10:80",
  { port = 443, from = ["203.0.113.0/24"], name = "web" },
]

[router.ens3.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2001:db8:1:2::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24"]
"""


def nftnsr_toml_5(date: str) -> str:
    sections = (
        section("NAME", "nftnsr.toml \\- what the routers of nftnsr are\n"),
        section("SYNOPSIS", "\\fI/etc/nftnsr/*.toml\\fR\n"),
        section("DESCRIPTION", paragraph(_DESCRIPTION)),
        *map(_keys, reference()),
        section(
            "FORWARDS",
            paragraph("An element of `forward` is a table or one of these strings:"),
            *(item(bold(text), f"{meaning}.") for text, meaning in FORWARDS),
        ),
        section("EXAMPLE", example(EXAMPLE)),
        section("SEE ALSO", "nftnsr(1)\n"),
    )
    return page("NFTNSR.TOML", 5, date, f"nftnsr {__version__}", sections)


def _keys(each: Section) -> str:
    title = f"The table {each.title}" if each.title.startswith("[") else f"A{each.title[1:]}"
    return section(title, *map(_key, each.rows))


def _key(row: Row) -> str:
    if row.required:
        presence = "required"
    else:
        presence = "optional" if row.default is None else f"default `{row.default}`"
    said = item(bold(row.name), f"({row.type}; {presence}) {row.doc}")
    if row.example == row.default:
        return said
    return said + f".IP\nFor instance\n{bold(f'{row.name} = {row.example}')}\n"
