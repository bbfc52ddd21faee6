"""`nftnsr reload`: block lists change, and nothing else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nftnsr.kernel.generation import generation
from nftnsr.kernel.namespaces import Room

from .conftest import ARTICLE, Segment, everything, sh

LISTED = "198.51.100.0/24 # a comment\n203.0.113.7\n2001:db8:bad::/48\n"


def nftnsr(
    *arguments: str | Path, status: int = 0, env: Mapping[str, str] | None = None
) -> tuple[str, str]:
    command = [sys.executable, "-m", "nftnsr", *map(str, arguments)]
    more = {**os.environ, **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=more)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


def commits() -> int:
    with Room.named("ens3") as room:
        return room.run(generation)


@pytest.fixture
def spec(segment: Segment, tmp_path: Path) -> Path:
    """A router that is applied, with a block list."""
    (tmp_path / "bad.txt").write_text(LISTED)
    spec = tmp_path / "spec.toml"
    spec.write_text(f'{ARTICLE}\n[router.ens3.filter]\nblocklists = {{ bad = "bad.txt" }}\n')
    nftnsr("apply", spec)
    return spec


def listed(name: str) -> str:
    return sh(f"ip netns exec ens3 nft list set inet nftnsr {name}")


def test_only_what_differs_in_the_lists_is_committed(spec: Path) -> None:
    before, count = everything(), commits()
    assert nftnsr("reload", spec) == ("", "nothing to change\n")
    assert commits() == count
    (spec.parent / "bad.txt").write_text(LISTED.replace("203.0.113.7", "203.0.113.8/31"))
    said, told = nftnsr("reload", spec)
    changes = [line.split() for line in said.splitlines() if line.strip()[0] in "+-"]
    assert changes == [["-", "203.0.113.7"], ["+", "203.0.113.8/31"]]
    assert told == ""
    assert commits() == count + 1
    assert everything() == before.replace("203.0.113.7", "203.0.113.8/31")
    assert nftnsr("diff", spec) == ("", "")


def test_what_else_differs_is_told_and_left(spec: Path) -> None:
    sh("""ip netns exec ens3 sh -ec '
      nft add rule inet nftnsr forward counter accept
      ip address del 1.2.3.4/24 dev ens3; sysctl -qw net.ipv4.ip_forward=0'""")
    before = everything()
    (spec.parent / "bad.txt").write_text("198.51.100.0/25\n")
    document = json.loads(nftnsr("reload", "--json", spec)[0])
    (warning,) = document["warnings"]
    assert "differ from the spec, left as found" in warning["message"]
    assert len(document["differences"]) == 2, "one set of each family"
    now = everything()
    assert "ip_forward:0" in now
    assert "198.51.100.0/25" in listed("block_bad_ipv4")
    assert "elements" not in listed("block_bad_ipv6")
    drop = lambda text: [n for n in text.splitlines() if "elements = {" not in n]  # noqa: E731
    assert drop(now) == drop(before)
    nftnsr("diff", spec, status=1)


def test_list_that_no_rule_asks_yet_is_left_to_apply(spec: Path) -> None:
    (spec.parent / "more.txt").write_text("192.0.2.0/24\n")
    spec.write_text(spec.read_text().replace('"bad.txt"', '"bad.txt", more = "more.txt"'))
    (spec.parent / "bad.txt").write_text("203.0.113.9\n")
    _, told = nftnsr("reload", spec)
    assert "differ" in told
    assert "203.0.113.9" in listed("block_bad_ipv4")
    assert "block_more" not in everything()


def test_reload_is_refused_where_there_is_nothing_or_where_it_locks_out(spec: Path) -> None:
    (spec.parent / "bad.txt").write_text("203.0.113.0/24\n")
    before = everything()
    session = {"SSH_CONNECTION": "203.0.113.9 40000 1.2.3.4 22"}
    _, told = nftnsr("reload", spec, status=2, env=session)
    assert "this would lock you out" in told
    assert everything() == before
    nftnsr("reload", "--lockout-ok", spec, env=session)
    assert "203.0.113.0/24" in listed("block_bad_ipv4")
    (spec.parent / "bad.txt").write_text("203.0.113.0/33\n")
    assert "bad.txt:1" in nftnsr("reload", spec, status=2)[1]
    nftnsr("down", "ens3")
    (spec.parent / "bad.txt").write_text("203.0.113.7\n")
    assert "none of its block lists is loaded" in nftnsr("reload", spec, status=2)[1]
    spec.write_text(ARTICLE)
    assert nftnsr("reload", spec) == ("", "nothing to change\n")
