"""`nftnsr graph`: the routers of the specs as a picture; no root."""

from __future__ import annotations

from argparse import Namespace as Options
from pathlib import Path

from nftnsr.commands import specs
from nftnsr.commands.console import OK, Console
from nftnsr.report.graph import picture


def run(options: Options, console: Console) -> int:
    said = picture(specs.chosen(options.spec), options.format)
    if options.output is not None:
        Path(options.output).write_text(said, encoding="utf-8")
        console.document({"format": options.format, "file": options.output})
        return OK
    console.document({"format": options.format, "picture": said})
    console.say(said)
    return OK
