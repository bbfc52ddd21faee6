"""nftnsr(1), from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from nftnsr import __version__
from nftnsr.manual.roff import PARAGRAPH, bold, example, italic, item, page, paragraph, section
from nftnsr.manual.verbs import Option, Verb, common, verbs

_DESCRIPTION: Final = (
    "`nftnsr` turns a machine's public interface, the uplink, into a small NAT router that lives "
    "in a network namespace of the same machine. A spec, a TOML file, says what the router is: see "
    "nftnsr.toml(5). `nftnsr apply` moves the kernel there in one transaction, or leaves it as it "
    "was."
)
_SPECS: Final = "Without a SPEC, commands that take one take every `/etc/nftnsr/*.toml`."
_STATUS: Final = (
    ("0", "Done, or nothing to do; of `diff`: the kernel is as the spec says."),
    (
        "1",
        "Of `diff`: the kernel differs. Of `rehearse`: a probe failed. Of `trace`: the packet is "
        "not answered.",
    ),
    ("2", "Trouble. Nothing was changed, or all of it was undone."),
    ("3", "Trouble, and the undo did not succeed; what is left, and how to mend it, was printed."),
    ("130", "Interrupted before anything was begun."),
)
_FILES: Final = (
    ("/etc/nftnsr/*.toml", "The specs of this machine."),
    ("/var/lib/nftnsr/", "For each router, what the host had before the first apply."),
    ("/run/nftnsr/", "The lock, and the journal of the transaction that is under way."),
)
_ENVIRONMENT: Final = (
    ("NO_COLOR", "If it is set and not empty, nothing is coloured, on a terminal either."),
    ("NFTNSR_DEBUG", "If it is set, a failure is told with the place in the program."),
)
_EXAMPLE: Final = """\
nftnsr validate /etc/nftnsr/ens3.toml
nftnsr rehearse /etc/nftnsr/ens3.toml
nftnsr apply --confirm 60s /etc/nftnsr/ens3.toml
nftnsr confirm"""


def nftnsr_1(parser: argparse.ArgumentParser, date: str) -> str:
    commands = verbs(parser)
    sections = (
        section("NAME", "nftnsr \\- a NAT router for this machine, in a network namespace of it\n"),
        section("SYNOPSIS", *_synopsis(commands)),
        section("DESCRIPTION", paragraph(_DESCRIPTION)),
        section("OPTIONS OF ALL COMMANDS", *map(_option, common(commands))),
        section("COMMANDS", paragraph(_SPECS), *(_command(e, common(commands)) for e in commands)),
        section("EXIT STATUS", *(item(bold(code), text) for code, text in _STATUS)),
        section("ENVIRONMENT", *(item(bold(name), text) for name, text in _ENVIRONMENT)),
        section("FILES", *(item(italic(name), text) for name, text in _FILES)),
        section(
            "EXAMPLES",
            paragraph(
                "To go live over ssh: check the spec, try it in throw-away namespaces, apply it, "
                "and confirm from a new connection, without which all is undone after a minute."
            ),
            PARAGRAPH,
            example(_EXAMPLE),
        ),
        section("SEE ALSO", "nftnsr.toml(5), nft(8), ip\\-netns(8), ip\\-link(8)\n"),
    )
    return page("NFTNSR", 1, date, f"nftnsr {__version__}", sections)


def _synopsis(commands: tuple[Verb, ...]) -> Iterator[str]:
    for each in commands:
        arguments = (option for option in each.options if not option.words)
        words = [bold(f"nftnsr {each.name}"), "[\\fIoptions\\fR]", *map(_argument, arguments)]
        yield f"{' '.join(words)}\n.br\n"
    yield f"{bold('nftnsr')} {bold('--help')} | {bold('--version')}\n"


def _argument(option: Option) -> str:
    name = italic(option.metavar or "")
    return f"[{name} ...]" if option.many else name


def _command(each: Verb, shared: tuple[Option, ...]) -> str:
    own = (option for option in each.options if option not in shared)
    return f".SS {each.name}\n{paragraph(_sentence(each.help))}{''.join(map(_option, own))}"


def _option(option: Option) -> str:
    return item(_tag(option), _sentence(option.help))


def _tag(option: Option) -> str:
    if option.metavar is None:
        return ", ".join(map(bold, option.words))
    if not option.words:
        return italic(option.metavar)
    return ", ".join(f"{bold(word)} {italic(option.metavar)}" for word in option.words)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
