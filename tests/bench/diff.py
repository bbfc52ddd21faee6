"""The commands that only look, as whole processes."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from nftnsr.commands import quick
from tests.bench.measure import in_turns, nftnsr, run
from tests.bench.table import Row, Table, rows
from tests.bench.world import ROUTER, World, forward, spec

_ARTICLE = ("22/tcp",)
_DUMPS = ("link", "address", "route", "-6 route", "neighbour")
_IFSTATE = "ifstatecli check"
_MISSING = "ifstatecli is not on PATH: `pip install ifstate` in a venv of its own"
_BASE = "python -c pass"
_FIRST = 1024
_REST_SECONDS = 20.0


def tables(small: bool) -> Iterator[Table]:
    yield _table(1, _ARTICLE, 5 if small else 20)
    count = 5000 if small else 60000
    yield _table(count, map(forward, range(_FIRST, _FIRST + count)), 2 if small else 3)


def _table(count: int, forwards: Iterable[str], rounds: int) -> Table:
    by_hand = "; ".join(
        [f"ip netns exec {ROUTER} nft list ruleset", *(f"ip -j -n {ROUTER} {d}" for d in _DUMPS)]
    )
    with World():
        file = spec(forwards)
        run(*nftnsr("apply", file))
        _seal(file)
        commands = {
            _BASE: (sys.executable, "-c", "pass"),
            "nftnsr diff": nftnsr("diff", file),
            "nftnsr diff --full": nftnsr("diff", "--full", file),
            "nft list ruleset, five `ip -j` dumps": ("bash", "-ec", by_hand),
            "nftnsr validate": nftnsr("validate", file),
            "nftnsr compile": nftnsr("compile", file),
        }
        if ifstatecli := shutil.which("ifstatecli"):
            commands[_IFSTATE] = (ifstatecli, "-c", _ifstate(), "check")
        for command in commands.values():
            run(*command)  # the first one writes bytecode
        subjects = {n: lambda c=c: run(*c).seconds for n, c in commands.items()}
        measured = rows(in_turns(subjects, rounds), 1000)
        assert quick.diff(["diff", file]) == 0, "the seal broke meanwhile"
    missing = () if ifstatecli else (Row(_IFSTATE, (), _MISSING),)
    remark = "The article's router in sync; each a whole process."
    plural = f"{count} forward{'s'[: count > 1]}"
    return Table(f"diff of {plural}", "ms", (*measured, *missing), base=_BASE, remark=remark)


def _seal(file: str) -> None:
    """Check until the quick answer holds: links that came up bring things a moment later."""
    deadline = time.monotonic() + _REST_SECONDS
    while quick.diff(["diff", file]) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("diff never seals its answer")
        run(*nftnsr("diff", file))
        time.sleep(0.1)


def _ifstate() -> str:
    """The links of the router and of the host as ifstate has them; returns the file's name."""
    path = Path("/run/bench/ifstate.yml")
    path.write_text(f"""
interfaces:
  vens3:
    addresses: [192.168.158.2/24, "2123:2134:abc:ddd::2/128", "fe80::2/64"]
    link: {{state: up, kind: veth, peer: vens3, peer_netns: {ROUTER}}}
routing:
  routes:
  - {{to: 0.0.0.0/0, dev: vens3, via: 192.168.158.1, proto: 110}}
  - {{to: "::/0", dev: vens3, via: "fe80::1", proto: 110, preference: 1024}}
namespaces:
  {ROUTER}:
    interfaces:
      vens3:
        addresses: [192.168.158.1/24, "fe80::1/64"]
        link: {{state: up, kind: veth, peer: vens3, peer_netns: null}}
      ens3:
        addresses: [1.2.3.4/24, "2123:2134:abc:ddd::3/64"]
        link: {{state: up, kind: veth}}
    routing:
      routes:
      - {{to: 0.0.0.0/0, dev: ens3, via: 1.2.3.1, proto: 110}}
      - {{to: "::/0", dev: ens3, via: "2123:2134:abc:ddd::1", proto: 110, preference: 1024}}
      - {{to: "2123:2134:abc:ddd::2/128", dev: vens3, via: "fe80::2", proto: 110, preference: 1024}}
""")
    return str(path)
