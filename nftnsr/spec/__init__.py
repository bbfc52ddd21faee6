"""The spec: from TOML text to frozen values, or to every problem that the text has."""

from .load import load, load_all, load_each, load_located, parse, reread
from .problems import Problem, SpecError

__all__ = [
    "Problem", "SpecError", "load", "load_all", "load_each", "load_located", "parse", "reread",
]  # fmt: skip
