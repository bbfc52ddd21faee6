"""The manual pages and the shell completions, made of the parser and of the spec's schema.

They are made when the package is built, and installed with it; `python -m nftnsr.manual DIRECTORY`
makes them by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from nftnsr.arguments import parser
from nftnsr.manual.command import nftnsr_1
from nftnsr.manual.completions import bash, zsh
from nftnsr.manual.spec import nftnsr_toml_5


def files(date: str) -> Mapping[str, str]:
    """What is installed below the prefix, by its path there; `date` is the pages', as ISO 8601."""
    return {
        "share/man/man1/nftnsr.1": nftnsr_1(parser(), date),
        "share/man/man5/nftnsr.toml.5": nftnsr_toml_5(date),
        "share/bash-completion/completions/nftnsr": bash(parser()),
        "share/zsh/site-functions/_nftnsr": zsh(parser()),
    }
