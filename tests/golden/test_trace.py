"""What is said of packets through the shipped specs; whoever changes that reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.test_rulesets import RULESETS, held

TRACES = Path(__file__).parent / "trace"
QUESTIONS = {
    "forward": "article --from 203.0.113.9 --to 1.2.3.4 --port 22/tcp",
    "hairpin": "article --from-host --to 1.2.3.4 --port 22/tcp",
    "closed": "article --from 203.0.113.9 --to 1.2.3.4 --port 23/tcp",
    "transit": "article --from 1.2.3.77 --to 192.168.158.2 --port 22/tcp",
    "proxied": "article --from 2001:470::9 --to 2123:2134:abc:ddd::2 --port 443/tcp",
    "ranges": "kubernetes-node --from 9.9.9.9 --to 198.51.100.20 --port 30080/udp",
    "out": "kubernetes-node --from-network 10.42.0.0/24 --to 9.9.9.9 --port 53/udp",
    "egress": "hardened --from-network 10.43.0.0/24 --to 9.9.9.9 --port 80/tcp",
    "ping": "hardened --from 9.9.9.9 --to 145.97.20.2 --port icmp",
    "bogon": "hardened --from 10.1.2.3 --in ens3 --to 145.97.20.2 --port 22/tcp",
    "policy-routing": "two-tables --from 10.60.0.7 --to 9.9.9.9 --port 443/tcp",
    "blackhole": "two-tables --from-host --to 10.1.2.3 --port 443/tcp",
    "not-there": "home-lab --from-host --to 10.10.0.20 --port 443/tcp",
    "uplinks": "two-uplinks --from 9.9.9.9 --to 5.6.7.8 --port 443/tcp",
    "inner": "inner-namespaces --from-network 10.44.0.0/16 --to 192.0.2.10 --port 25/tcp",
    "counted": "home-lab --from 9.9.9.9 --to 192.0.2.40 --port 443/tcp",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_trace_says_what_it_said(name: str, request: pytest.FixtureRequest) -> None:
    spec, *words = QUESTIONS[name].split()
    command = [sys.executable, "-m", "nftnsr", "trace", str(RULESETS / f"{spec}.toml"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    said = f"$ nftnsr trace {QUESTIONS[name]}\n{done.stdout}exit {done.returncode}\n"
    assert said == held(TRACES / f"{name}.txt", said, request)


def test_no_trace_is_left_over() -> None:
    assert {path.stem for path in TRACES.glob("*.txt")} == set(QUESTIONS)
