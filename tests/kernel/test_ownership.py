"""What nftnsr did not make it leaves alone, and what it took it gives back, however that looked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state.difference import Difference, Remove, difference
from nftnsr.state.model import Route
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import apply_spec, take_down
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.records import RecordError
from nftnsr.transaction.transact import Outcome

from .conftest import ARTICLE, Segment, add_uplink, assert_same, everything, sh, until_gone

ROOT = Path(__file__).parents[2]
CHANGED = ARTICLE.replace("22/tcp", "23/tcp")

# Each act has a machine of its own, as each command has: an open machine would hold namespaces.


def apply(spec: Spec) -> Outcome:
    with Machine() as machine:
        return apply_spec(machine, spec)


def down() -> Outcome:
    with Machine() as machine:
        return take_down(machine, [r for n in records.names() if (r := records.read(n))])


def drift(spec: Spec) -> tuple[Difference, ...]:
    with Machine() as machine:
        intent, found = diff_intent(machine, spec)
        return difference(intent.goal.wanted, found, intent.goal.ours)


def reboot(segment: Segment) -> None:
    """All that the kernel and /run knew is gone; the host configures its uplink as ever."""
    sh("ip netns del ens3; ip link del vens3 2>/dev/null || true; rm -rf /run/nftnsr/*")
    until_gone("vens3")
    segment.provider.run(until_gone, "p0")
    add_uplink(segment.provider)


# -- what others made ----------------------------------------------------------------------

FOREIGN = """
  ip {on} address add 10.99.0.1/24 dev {dev}
  ip {on} address add fd99::1/64 dev {dev} nodad
  ip {on} route add 198.51.100.0/25 dev {dev} proto 12
  ip {on} -6 route add fd98::/64 dev {dev} proto 12
  ip {on} neigh add 10.99.0.77 lladdr 02:00:00:00:00:77 dev {dev} nud permanent
  ip {on} neigh add proxy fd99::7 dev {dev}
"""


@pytest.mark.parametrize(("on", "dev"), [("", "vens3"), ("-n ens3", "vens3"), ("-n ens3", "ens3")])
def test_what_others_put_on_our_links_is_no_drift_and_stays(
    segment: Segment, article: Spec, on: str, dev: str
) -> None:
    apply(article)
    applied = everything()
    sh(FOREIGN.format(on=on, dev=dev))
    with_foreign = everything()
    assert with_foreign != applied
    assert drift(article) == ()
    assert apply(article).operations == ()
    assert apply(parse(CHANGED, "b.toml")).operations
    assert apply(article).operations
    assert_same(everything(), with_foreign)


def test_down_ends_with_what_others_put_on_our_links(segment: Segment, article: Spec) -> None:
    before = everything()
    apply(article)
    for on, dev in (("", "vens3"), ("-n ens3", "ens3")):
        sh(FOREIGN.format(on=on, dev=dev))
    down()
    assert_same(everything(), before)


def test_route_that_bears_our_mark_is_drift_and_goes(segment: Segment, article: Spec) -> None:
    apply(article)
    applied = everything()
    sh("ip -n ens3 route add 10.77.0.0/16 dev vens3 proto 110")
    (extra,) = drift(article)
    assert isinstance(extra, Remove)
    assert isinstance(extra.item, Route)
    apply(article)
    assert_same(everything(), applied)


def test_down_after_a_reboot_forgets_the_router_and_touches_nothing(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    reboot(segment)
    sh("ip address add 1.2.3.99/24 dev ens3; ip link set ens3 mtu 1400")
    before = everything()
    assert down().operations == ()
    assert_same(everything(), before)
    assert records.names() == ()


def test_down_touches_no_namespace_that_somebody_else_named_so(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    reboot(segment)
    sh("""
      ip netns add ens3; ip -n ens3 link set lo up; ip -n ens3 link add ens3 type bridge
      ip -n ens3 address add 10.99.0.1/24 dev ens3; ip netns exec ens3 nft add table inet nftnsr
    """)
    before = everything()
    assert down().operations == ()
    assert_same(everything(), before)
    assert records.names() == ()


BRIDGE = """
  ip link add vens3 type bridge; ip link set vens3 up
  ip address add 192.168.158.2/24 dev vens3; ip route add 10.42.0.0/24 dev vens3
"""


def test_down_touches_no_link_that_took_the_name_of_our_veth(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    sh("ip link del vens3")
    until_gone("vens3")
    sh(BRIDGE)
    look = "ip -o address show dev vens3; ip route show dev vens3 | sed 's/ linkdown//'"
    bridge = sh(look)
    down()
    assert sh(look) == bridge
    sh("ip link del vens3")
    assert_same(everything(), before)


def test_down_touches_no_link_that_somebody_else_named_so(segment: Segment, article: Spec) -> None:
    apply(article)
    reboot(segment)
    sh(BRIDGE)
    before = everything()
    assert down().operations == ()
    assert_same(everything(), before)
    assert records.names() == ()


def test_apply_after_a_reboot_remembers_what_the_host_has_now(
    segment: Segment, article: Spec
) -> None:
    apply(article)
    reboot(segment)
    sh("ip address add 1.2.3.99/24 dev ens3; ip link set ens3 mtu 1400")
    before = everything()
    apply(article)
    down()
    assert_same(everything(), before)


@pytest.mark.parametrize("name", ["ens3", "other"])
def test_rest_of_a_namespace_that_was_never_made_does_not_block(
    segment: Segment, article: Spec, name: str
) -> None:
    before = everything()
    Path("/run/netns", name).touch()
    apply(article)
    assert drift(article) == ()
    down()
    Path("/run/netns", name).unlink(missing_ok=True)
    assert_same(everything(), before)


# -- what the host had ---------------------------------------------------------------------

BARE = """
  ip address flush dev ens3; ip -6 route flush dev ens3; ip route flush dev ens3
  ip link set ens3 down; ip link set ens3 up
"""
LAYOUTS = {
    "gateway outside the prefix": """
      ip address add 1.2.3.4/32 dev ens3
      ip route add 1.2.3.1 dev ens3 scope link
      ip route add default via 1.2.3.1 dev ens3
    """,
    "NetworkManager": """
      ip address add 1.2.3.4/24 broadcast 1.2.3.255 dev ens3 noprefixroute
      ip route add 1.2.3.0/24 dev ens3 proto kernel scope link src 1.2.3.4 metric 100
      ip route add default via 1.2.3.1 dev ens3 proto dhcp src 1.2.3.4 metric 100
      ip address add 2123:2134:abc:ddd::2/64 dev ens3 nodad noprefixroute
      ip -6 route add 2123:2134:abc:ddd::/64 dev ens3 proto kernel metric 100
      ip -6 route add default via 2123:2134:abc:ddd::1 dev ens3 proto static metric 100
    """,
    "metric of an address": """
      ip address add 1.2.3.4/24 dev ens3 metric 100
      ip address add 2123:2134:abc:ddd::2/64 dev ens3 metric 300 nodad
      ip route add default via 1.2.3.1 dev ens3
    """,
    "order of addresses": """
      for n in 7 5 9 6; do
        ip address add 1.2.3.$n/24 dev ens3
        ip address add 2123:2134:abc:ddd::$n/64 dev ens3 nodad
      done
      ip address add 10.8.0.1 peer 10.8.0.2 dev ens3
    """,
    "IPv4 over an IPv6 gateway": """
      ip address add 1.2.3.4/32 dev ens3
      ip route add default via inet6 fe80::1 dev ens3
      ip route add 10.9.0.0/16 via inet6 fe80::9 dev ens3 metric 7
    """,
    "several gateways": """
      ip address add 1.2.3.4/24 dev ens3
      ip route add default nexthop via 1.2.3.1 dev ens3 weight 3 nexthop via 1.2.3.2 dev ens3
      ip route add 10.9.0.0/16 via 1.2.3.9 dev ens3 table 77
      ip route add 10.8.0.0/16 via 1.2.3.8 dev ens3 tos 0x10 src 1.2.3.4 advmss 1000
    """,
    "stable secret": """
      sysctl -qw net.ipv6.conf.ens3.stable_secret=2001:db8::5ec:1234
      sysctl -qw net.ipv6.conf.ens3.use_tempaddr=2 net.ipv4.conf.ens3.forwarding=1
      ip address add 1.2.3.4/24 dev ens3
    """,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_down_gives_back_whatever_the_uplink_had(
    segment: Segment, article: Spec, layout: str
) -> None:
    sh(BARE + LAYOUTS[layout])
    before = everything()
    apply(article)
    assert everything() != before
    apply(parse(CHANGED, "b.toml"))
    outcome = down()
    assert (outcome.left, outcome.refusals) == ((), ())
    assert_same(everything(), before)


def test_down_gives_back_what_was_changed_on_the_link_while_it_was_away(
    segment: Segment, article: Spec
) -> None:
    before = everything()
    apply(article)
    sh("ip -n ens3 link set ens3 mtu 1400 txqueuelen 77 alias other")
    assert len(drift(article)) == 1
    down()
    assert_same(everything(), before)


# -- the command line ----------------------------------------------------------------------


@pytest.fixture
def spec_file(tmp_path: Path) -> str:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE)
    return str(path)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "nftnsr", *words]


def environment() -> dict[str, str]:
    # Whoever runs the tests over ssh is not at risk.
    return os.environ | {"PYTHONPATH": str(ROOT), "SSH_CONNECTION": "203.0.113.9 5 127.0.0.1 22"}


def nftnsr(*words: str, status: int = 0) -> str:
    """What a command writes to stderr; its exit status is as said."""
    done = subprocess.run(command(*words), capture_output=True, text=True, env=environment())
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
    return done.stderr


def test_down_by_a_spec_makes_the_host_reachable_without_a_record(
    segment: Segment, spec_file: str
) -> None:
    nftnsr("apply", spec_file)
    Path("/var/lib/nftnsr/ens3.json").unlink()
    nftnsr("down", spec_file)
    addresses = sh("ip -o address show dev ens3")
    assert "inet 1.2.3.4/24 " in addresses
    assert "inet6 2123:2134:abc:ddd::2/64 " in addresses
    assert sh("ip route show default").startswith("default via 1.2.3.1 dev ens3")
    assert sh("ip -6 route show default").startswith("default via 2123:2134:abc:ddd::1 dev ens3")
    assert sh("ip -o link show up dev ens3")
    assert sh("ip netns list; ip -o link show type veth | grep vens3 || true") == ""


FIREWALL = """
table inet mine {
  chain input {
    type filter hook input priority filter; policy drop
    iifname { LINKS } tcp dport 22 accept
  }
}
"""


def firewall(*links: str) -> None:
    quoted = ", ".join(f'"{link}"' for link in links)
    sh(f"nft -f - <<'EOF'\n{FIREWALL.replace('LINKS', quoted)}\nEOF")


def test_firewall_that_would_not_know_the_veth_is_not_risked(
    segment: Segment, spec_file: str
) -> None:
    firewall("ens3", "lo")
    before = everything()
    refusal = nftnsr("apply", spec_file, status=2)
    assert "the host's own nftables rules name ens3, and would see vens3" in refusal
    assert_same(everything(), before)
    nftnsr("apply", "--lockout-ok", spec_file)
    # The uplink has moved: nothing is risked any more.
    Path(spec_file).write_text(CHANGED)
    nftnsr("apply", spec_file)
    nftnsr("down", spec_file)
    assert_same(everything(), before)


@pytest.mark.parametrize("links", [("ens3", "vens3"), ("eth7", "lo")])
def test_firewall_that_treats_the_veth_as_the_uplink_is_no_risk(
    segment: Segment, spec_file: str, links: Sequence[str]
) -> None:
    firewall(*links)
    nftnsr("apply", spec_file)


def test_nothing_is_touched_where_it_could_not_be_remembered(
    segment: Segment, article: Spec, spec_file: str
) -> None:
    sh("mount -o remount,ro /var/lib/nftnsr")
    before = everything()
    with pytest.raises(RecordError, match="Read-only file system"):
        apply(article)
    assert "/var/lib/nftnsr cannot be written" in nftnsr("apply", spec_file, status=2)
    assert_same(everything(), before)
    assert journal.unfinished() is None
    assert journal.last() is None
    sh("mount -o remount,rw /var/lib/nftnsr")
    nftnsr("apply", spec_file)


@pytest.mark.parametrize(("prefix", "status"), [(["nohup"], 0), ([], 2)])
def test_hangup_undoes_an_apply_unless_it_was_told_to_ignore_it(
    segment: Segment, spec_file: str, tmp_path: Path, prefix: list[str], status: int
) -> None:
    before = everything()
    begun, go = tmp_path / "begun", tmp_path / "go"
    os.mkfifo(begun)
    os.mkfifo(go)
    check = f"echo > {begun}; read _ < {go}"
    process = subprocess.Popen(
        [*prefix, *command("apply", "--check", check, spec_file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    begun.read_text()  # until the check writes: all is applied, and not yet committed
    process.send_signal(signal.SIGHUP)
    go.write_text("\n")
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    if status == 0:
        nftnsr("diff", spec_file)
    else:
        assert "interrupted by SIGHUP" in err
        assert_same(everything(), before)
