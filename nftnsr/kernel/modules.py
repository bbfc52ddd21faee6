"""The kernel's modules for helpers of connection tracking.

Each helper has two. That which reads what the ends of a connection say, the kernel loads by itself
when a ruleset names the helper. That which puts translated addresses into it, nobody loads: the
other end is told a private address then, and nothing says so.
"""

from __future__ import annotations

from pathlib import Path

_MODULES = Path("/sys/module")


def missing_translator(helper: str, modules: Path = _MODULES) -> str | None:
    """The module that shall translate for `helper`, if it is not there.

    Only a module that was loaded has an `initstate`, and where the reading one is built in, the
    translating one is.
    """
    reader, translator = modules / f"nf_conntrack_{helper}", modules / f"nf_nat_{helper}"
    loaded = (reader / "initstate").exists()
    return translator.name if loaded and not translator.exists() else None
