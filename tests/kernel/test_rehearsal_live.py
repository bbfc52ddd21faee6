"""With --from-live the twin begins as this host is, and what is peculiar here shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nftnsr.kernel.isolation import isolate
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.portrait import portrait
from nftnsr.rehearsal import World
from nftnsr.spec import parse
from nftnsr.state.model import Item, Link, Route, Sysctl
from nftnsr.transaction.without import without_routers

from .conftest import ARTICLE, Segment, assert_same, everything, sh

PODS = ARTICLE.replace("[router.ens3.host]", '[router.ens3.host]\nnetworks = ["10.42.0.0/24"]')
ODD = """
  sysctl -qw net.ipv4.ip_forward=1
  ip link add eth7 mtu 1400 address 02:00:00:00:00:07 type veth peer name far7
  ip link set eth7 up; ip link set far7 up
  ip address add 192.168.7.2/32 dev eth7
  ip address add fd07::2/64 dev eth7 nodad
  ip route add default via 172.31.1.1 dev eth7 onlink metric 50
  ip route add 10.7.0.0/16 via 172.31.1.1 dev eth7 onlink table 77
  ip rule add from 10.70.0.0/16 lookup 77
  ip route add blackhole 10.66.0.0/16
  ip -6 route add 2001:db8:7::/48 via fd07::1
  sysctl -qw net.ipv4.ip_default_ttl=65 net.ipv4.conf.all.log_martians=1
  sysctl -qw net.ipv4.conf.default.rp_filter=2 net.ipv4.conf.eth7.rp_filter=1
"""


def nftnsr(verb: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nftnsr", verb, "--json", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def without(items: Iterable[Item], *devs: str) -> set[Item]:
    """All but what is of these links."""

    def is_of(item: Item, dev: str) -> bool:
        named = item.name == dev if isinstance(item, Link) else False
        return named or (isinstance(item, Sysctl) and f"/{dev}/" in item.path)

    return {i for i in items if not any(is_of(i, dev) for dev in devs)}


def test_twin_is_what_this_host_is(segment: Segment) -> None:
    sh(ODD)
    live = portrait()
    before = without(live.items, "far7")
    assert len([i for i in before if not isinstance(i, Sysctl)]) > 15
    with Room.here() as room:
        room.run(isolate)
        with World(parse(PODS, "spec.toml"), room, live=live) as world:
            twin = set(room.run(portrait).items)
            assert world.unlike == ()
    assert before - twin == set()
    more = {i for i in without(twin, "inner0") - before if not isinstance(i, Sysctl)}
    # The way to the pods, whom the rehearsal has itself.
    assert {str(i.destination) for i in more if isinstance(i, Route)} == {
        "10.42.0.0/24", "169.254.1.2/32"
    }  # fmt: skip
    assert {i.dev for i in more if not isinstance(i, Route)} == {"inner0"}


def test_what_is_peculiar_here_shows_in_the_rehearsal(segment: Segment, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(PODS)
    sh(ODD)
    before = everything()
    done = nftnsr("rehearse", "--from-live", spec)
    assert done.returncode == 0, done.stdout + done.stderr
    # Nobody forwards for the pods.
    sh("sysctl -qw net.ipv4.ip_forward=0")
    done = nftnsr("rehearse", "--from-live", spec)
    assert done.returncode == 1, done.stderr
    failed = {r["name"] for r in json.loads(done.stdout)["results"] if not r["ok"]}
    assert failed and all("inner host" in name or "10.42.0.0" in name for name in failed)
    assert nftnsr("rehearse", spec).returncode == 0
    # A default route over another link stands where the router's own is to be.
    sh("sysctl -qw net.ipv4.ip_forward=1; ip route replace default dev eth7")
    done = nftnsr("rehearse", "--from-live", spec)
    assert done.returncode == 2
    assert "the host has a route 0.0.0.0/0 over eth7 of the same metric" in done.stderr
    sh("ip route replace default via 1.2.3.1 dev ens3")
    assert_same(everything(), before)


def test_interface_that_is_not_here_is_told(box: None, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(ARTICLE)
    done = nftnsr("rehearse", "--from-live", spec)
    assert done.returncode == 2
    assert "there is no interface ens3 on this host; there are: none" in done.stderr


def test_host_of_an_applied_router_is_as_it_was_before(segment: Segment, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(ARTICLE)
    live = portrait()
    assert nftnsr("apply", spec).returncode == 0
    again = without_routers(portrait(), ["ens3"])
    mine = {i for i in live.items if not isinstance(i, Sysctl)}
    assert mine - set(again.items) == set()
    done = nftnsr("rehearse", "--from-live", spec)
    assert done.returncode == 0, done.stdout + done.stderr
