"""`nftnsr trace`: what it understands, what it refuses, and what it says to programs."""

from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import evolve

from nftnsr.compile import compile_router
from nftnsr.spec import load, parse
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Namespace
from nftnsr.trace import Question, Trace, Unreadable, trace
from nftnsr.trace.grammar import read
from nftnsr.trace.jhash import jhash
from nftnsr.trace.packet import End

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "rulesets").glob("*.toml"))
SPEC = """
[router.ens3]
uplink    = "ens3"
addresses = ["1.2.3.4/24"]
gateways  = ["1.2.3.1"]
{router}
[router.ens3.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24"]
"""


def router(keys: str = "") -> Router:
    return parse(SPEC.replace("{router}", keys), "spec.toml").routers[0]


def asked(router: Router, source: str, to: str, port: int = 22) -> Trace:
    return trace(router, Question(ip_address(to), "tcp", port, ip_address(source)))


def delivered(trace: Trace) -> list[str]:
    return [str(way.there.last.destination) for way in trace.ways if way.whole]


# -- rules --


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_rule_of_every_ruleset_is_read(path: Path) -> None:
    for each in load(path).routers:
        assert list(rules_read(compile_router(each)))


def rules_read(space: Namespace) -> list[object]:
    chains = [i for i in space.ruleset if isinstance(i, Chain)]
    return [read(rule) for chain in chains for rule in chain.rules]


@pytest.mark.parametrize(
    "rule",
    ["ip dscp 4 accept", "ip saddr", "iifname", "accept with care", "jhash ip saddr mod 3 vmap"],
)
def test_rule_that_is_not_understood_is_no_guess(rule: str) -> None:
    with pytest.raises(Unreadable, match=rule):
        read(rule)


@pytest.mark.parametrize(
    ("length", "hashed"),
    [
        (0, 0xDF1C2563), (1, 0x7F54744D), (4, 0x92BB109A), (12, 0xEA5553ED),
        (13, 0x4548C9FC), (16, 0x1CA26B02), (24, 0x7AB9DE07), (40, 0x881D2F9E),
    ],
)  # fmt: skip
@pytest.mark.skipif(sys.byteorder == "big", reason="there it is another")
def test_hash_is_that_of_the_macros_in_jhash_h(length: int, hashed: int) -> None:
    data = bytes((7 * n + 1) % 256 for n in range(40))
    assert jhash(data[:length], 0x6E6674) == hashed


# -- ways --


def test_servers_that_take_turns_are_all_told() -> None:
    balanced = router(
        'forward = [{ port = 22, to = ["192.168.158.2", "10.42.0.7"], balance = "round-robin" }]'
    )
    found = asked(balanced, "203.0.113.9", "1.2.3.4")
    assert delivered(found) == ["192.168.158.2:22", "10.42.0.7:22"]


def test_server_that_the_source_chooses_is_always_the_same() -> None:
    balanced = router('forward = [{ port = 22, to = ["192.168.158.2", "10.42.0.7"] }]')
    found = [delivered(asked(balanced, f"203.0.113.{n}", "1.2.3.4")) for n in range(1, 30)]
    assert {len(each) for each in found} == {1}
    assert {server for (server,) in found} == {"192.168.158.2:22", "10.42.0.7:22"}


def test_syn_proxy_answers_and_connects_who_answers_it() -> None:
    some = 'from = ["203.0.113.0/24"]'
    proxied = router(f'forward = [{{ port = 22, to = "10.42.0.7:2222", {some}, synproxy = true }}]')
    found = asked(proxied, "203.0.113.9", "1.2.3.4")
    assert delivered(found) == ["10.42.0.7:2222"]
    (way,) = found.ways
    assert way.there.last.source == End(ip_address("203.0.113.9"), 40000)
    assert [s.stage for s in way.there.steps if s.chain == "cookies"] == ["input"]
    assert way.back is not None
    assert way.back.last.source == End(ip_address("1.2.3.4"), 22)
    assert not asked(proxied, "198.51.100.9", "1.2.3.4").arrives
    inside = asked(proxied, "10.42.0.9", "1.2.3.4")
    assert inside.arrives
    assert not any(step.chain == "cookies" for step in inside.ways[0].there.steps)


def test_answer_past_the_router_is_no_answer() -> None:
    found = asked(router('forward = ["22/tcp -> 10.42.0.7"]'), "10.42.0.9", "1.2.3.4")
    assert found.arrives
    (way,) = found.ways
    last = way.there.last
    seen = evolve(last, connection=evolve(last.connection, snat=False))
    assert not evolve(way, there=evolve(way.there, last=seen)).whole


def test_router_itself_answers_no_port_that_the_spec_does_not_name() -> None:
    assert not asked(router(), "203.0.113.9", "1.2.3.4", 23).arrives
    ping = trace(router(), Question(ip_address("1.2.3.4"), "icmp", None, ip_address("9.9.9.9")))
    assert ping.arrives
    (way,) = ping.ways
    assert way.there.last.source == End(ip_address("9.9.9.9"))


# -- the command --


def nftnsr(
    *arguments: str, spec: str = "rulesets/article.toml"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nftnsr", "trace", spec, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_command_prints_one_document_for_programs() -> None:
    done = nftnsr("--json", "--from", "203.0.113.9", "--to", "1.2.3.4", "--port", "22/tcp")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["router"]) == (0, True, "ens3")
    (way,) = document["ways"]
    assert (way["ending"], way["to"]) == ("delivered", "the host")
    assert way["packet"]["destination"] == "192.168.158.2"
    assert way["answer"]["packet"]["source"] == "1.2.3.4"
    assert [step["stage"] for step in way["steps"]] == ["prerouting", "routing", "forward"]
    assert way["steps"][0]["element"] == "tcp . 22 : 192.168.158.2 . 22"
    lines = [reason["line"] for reason in way["steps"][0]["reasons"]]
    assert {8, 13} <= set(lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--to 1.2.3.4", "nobody is named who sends the packet\n  hint: say --from ADDRESS"),
        ("--from 2001:db8::1 --to 1.2.3.4", "2001:db8::1 and 1.2.3.4 are of two address families"),
        ("--from 127.0.0.1 --to 1.2.3.4", "127.0.0.1 is an address that no router routes"),
        ("--from fe80::7 --to 2123:2134:abc:ddd::2", "fe80::7 is link-local: it is never routed"),
        (
            "--from 9.9.9.9 --to 1.2.3.4 --in ens9",
            "router ens3 has no link ens9\n  hint: its links are ens3, vens3",
        ),
        (
            "--from 9.9.9.9 --to 1.2.3.4 --router wan",
            "the spec has no router wan\n  hint: it has ens3",
        ),
        (
            "--from-network 10.9.0.0/16 --to 1.2.3.4",
            "no network 10.9.0.0/16 is behind router ens3\n  hint: there are 192.168.158.0/24",
        ),
    ],
)
def test_question_without_sense_is_told_with_its_repair(arguments: str, message: str) -> None:
    done = nftnsr(*arguments.split(), "--port", "22/tcp")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"nftnsr: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--to 1.2.3 --port 22/tcp", 'argument --to: "1.2.3" is no IP address'),
        ("--to 1.2.3.4 --port 22", 'argument --port: "22" is no port; write 8080/tcp'),
        ("--to 1.2.3.4 --port 70000/udp", "argument --port: port 70000 is not in 1-65535"),
        ("--to 1.2.3.4 --port 0/udp", "argument --port: port 0 is not in 1-65535"),
        ("--to 1.2.3.4 --port icmp --source-port x", "port x is not in 1-65535"),
        ("--to 1.2.3.4 --port icmp --from-network 1.2.3.4/8", "has host bits set"),
        ("--to 1.2.3.4 --port icmp --from-host --in ens3", "not allowed with argument"),
    ],
)
def test_word_that_is_none_is_told(arguments: str, message: str) -> None:
    done = nftnsr(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
