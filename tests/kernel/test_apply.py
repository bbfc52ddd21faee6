"""Laws of apply and down, held against the kernel."""

from __future__ import annotations

import json

import pytest

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.generation import generation
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state.difference import difference
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import Refused, apply_spec, take_down
from nftnsr.transaction.intents import apply_intent
from nftnsr.transaction.transact import Outcome

from .conftest import ARTICLE, Segment, assert_same, everything, sh


def drift(machine: Machine, spec: Spec) -> tuple[object, ...]:
    intent, found = apply_intent(machine, spec)
    return difference(intent.goal.wanted, found, intent.goal.ours)


def down(machine: Machine, *names: str) -> Outcome:
    return take_down(machine, [r for n in names if (r := records.read(n))])


def test_apply_reaches_what_it_wants(machine: Machine, segment: Segment, article: Spec) -> None:
    assert drift(machine, article)
    outcome = apply_spec(machine, article)
    assert outcome.operations
    assert drift(machine, article) == ()
    assert journal.unfinished() is None


def test_second_apply_changes_nothing(machine: Machine, segment: Segment, article: Spec) -> None:
    apply_spec(machine, article)
    before = everything()
    with Room.named("ens3") as router:
        number = router.run(generation)
        assert apply_spec(machine, article).operations == ()
        assert router.run(generation) == number
    assert_same(everything(), before)


def test_down_gives_back_all_that_the_host_had(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    before = everything()
    apply_spec(machine, article)
    assert everything() != before
    down(machine, "ens3")
    assert_same(everything(), before)
    assert records.names() == ()


def test_down_gives_back_an_address_that_was_tentative_when_it_was_found(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    """As in the first second or two of a link, in which a machine that boots may apply."""
    sh("""
      ip link set ens3 down
      sysctl -qw net.ipv6.conf.ens3.accept_dad=1 net.ipv6.conf.ens3.dad_transmits=30
      ip link set ens3 up; ip route replace default via 1.2.3.1
    """)
    assert "tentative" in sh("ip -6 address show ens3 scope link")
    apply_spec(machine, article)
    assert down(machine, "ens3").left == ()
    assert "fe80::" in sh("ip -6 address show ens3 scope link")


def test_record_of_an_earlier_version_is_understood(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    """It outlives the program that wrote it; one that knew of a single uplink wrote it bare."""
    before = everything()
    apply_spec(machine, article)
    path = records.DIRECTORY / "ens3.json"
    data = json.loads(path.read_text())
    (data["taken"],) = data["taken"]
    path.write_text(json.dumps(data))
    assert drift(machine, article) == ()
    down(machine, "ens3")
    assert_same(everything(), before)


def test_paths_of_a_route_over_two_links_come_back_to_those_that_stayed(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    """The kernel takes the paths over the uplink away only (IPv6), or the whole route (IPv4)."""
    sh("""
      ip link add o1 type veth peer name o2
      ip link set o1 up
      ip link set o2 up
      ip address add 7.7.7.1/24 dev o1
      ip address add 2001:77::1/64 dev o1 nodad
      ip route add 10.0.0.0/8 nexthop via 1.2.3.8 nexthop via 7.7.7.2
      ip -6 route add 2001:db8::/32 nexthop via 2123:2134:abc:ddd::8 weight 2 \
        nexthop via 2001:77::2
    """)
    before = everything()
    apply_spec(machine, article)
    down(machine, "ens3")
    assert_same(everything(), before)


def test_down_gives_back_what_was_there_before_the_first_of_several_applies(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    before = everything()
    apply_spec(machine, article)
    apply_spec(machine, parse(ARTICLE.replace("22/tcp", "23/tcp"), "b.toml"))
    apply_spec(machine, article)
    down(machine, "ens3")
    assert_same(everything(), before)


VARIANTS = {
    "forwards": ARTICLE.replace('"22/tcp"', '"22/tcp", "8080/tcp -> 192.168.158.9:80"'),
    "re-pointed": ARTICLE.replace('"22/tcp"', '"22/tcp -> :2222"'),
    "no forwards": ARTICLE.replace('"22/tcp"', ""),
    "sources": ARTICLE.replace('"22/tcp"', '{ port = 22, from = ["203.0.113.0/24"] }'),
    "ranges": ARTICLE.replace('"22/tcp"', '"22/tcp", "30000-32767/udp", "30000-32767/tcp"'),
    "address": ARTICLE.replace("1.2.3.4/24", "1.2.3.6/24"),
    "prefix": ARTICLE.replace("1.2.3.4/24", "1.2.3.4/25"),
    "on-link": ARTICLE.replace("1.2.3.4/24", "1.2.3.4/32"),
    "gateway": ARTICLE.replace('"1.2.3.1"', '"1.2.3.254"'),
    "link-local gateway": ARTICLE.replace('"2123:2134:abc:ddd::1"]', '"fe80::1"]'),
    "veth": ARTICLE.replace("192.168.158", "192.168.77"),
    "interface": ARTICLE.replace("vens3", "inside"),
    "router_interface": ARTICLE.replace(
        'interface        = "vens3"', 'interface = "vens3"\nrouter_interface = "tohost"'
    ),
    "networks": ARTICLE + 'networks = ["10.42.0.0/24", "2123:2134:abc:eee::/64"]\n',
    "no default route": ARTICLE + "default_route = false\n",
    "closed": ARTICLE.replace("forward ", 'inbound_ipv6 = "forwards"\nforward '),
    "no masquerade": ARTICLE.replace("forward ", "masquerade = false\nforward "),
    "no hairpin": ARTICLE.replace("forward ", "hairpin = false\nforward "),
    "no filter": ARTICLE.replace("forward ", "forward_filter = false\nforward "),
    "no proxy": ARTICLE.replace("forward ", "proxy_ndp = false\nforward "),
    "ipv4 only": ARTICLE.replace(', "2123:2134:abc:ddd::3/64"', "")
    .replace(', "2123:2134:abc:ddd::1"', "")
    .replace(', "2123:2134:abc:ddd::2/128"', ""),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_change_ends_where_a_fresh_apply_ends(
    machine: Machine, segment: Segment, article: Spec, name: str
) -> None:
    """apply(a), apply(b) ends where apply(b) alone ends; and back again."""
    variant = parse(VARIANTS[name], f"{name}.toml")
    assert variant != article
    before = everything()
    apply_spec(machine, variant)
    alone = _settled()
    down(machine, "ens3")
    assert_same(everything(), before)
    apply_spec(machine, article)
    first = _settled()
    apply_spec(machine, variant)
    assert_same(_settled(), alone)
    apply_spec(machine, article)
    assert_same(_settled(), first)
    down(machine, "ens3")
    assert_same(everything(), before)


def _settled() -> str:
    """Everything that a spec decides: the kernel's own link-local addresses come as they like."""
    lines = everything().splitlines()
    own = ("fe80::", "ff00::", "multicast", "anycast", "inet6 fe80")
    return "\n".join(sorted(line for line in lines if not any(word in line for word in own)))


def test_changed_uplink_gives_the_old_one_back(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    sh("ip link add ens4 type veth peer name p4; ip link set ens4 up")
    with_two = everything()
    apply_spec(machine, article)
    apply_spec(machine, parse(ARTICLE.replace('uplink    = "ens3"', 'uplink = "ens4"'), "b.toml"))
    assert "1.2.3.5/24" in sh("ip address show dev ens3")
    assert "1.2.3.4/24" in sh("ip -n ens3 address show dev ens4")
    down(machine, "ens3")
    assert_same(everything(), with_two)


def test_two_routers_do_not_disturb_one_another(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    sh("ip link add ens4 type veth peer name p4; ip link set ens4 up; ip link set p4 up")
    before = everything()
    other = parse(
        """
        [router.two]
        uplink = "ens4"
        addresses = ["198.51.100.4/24"]
        gateways = ["198.51.100.1"]
        [router.two.host]
        interface = "vens4"
        addresses = ["192.168.159.2/24"]
        router_addresses = ["192.168.159.1/24"]
        default_route = false
        """,
        "two.toml",
    )
    apply_spec(machine, article)
    one = sh("ip -n ens3 address; ip -n ens3 route; ip netns exec ens3 nft list ruleset")
    apply_spec(machine, other)
    assert sh("ip -n ens3 address; ip -n ens3 route; ip netns exec ens3 nft list ruleset") == one
    assert drift(machine, article) == () == drift(machine, other)
    both = Spec(article.routers + other.routers)
    assert drift(machine, both) == ()
    down(machine, "ens3")
    assert drift(machine, other) == ()
    down(machine, "two")
    assert_same(everything(), before)


def test_foreign_namespace_is_refused_and_untouched(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    sh("ip netns add ens3")
    before = everything()
    with pytest.raises(Refused, match="namespace ens3 exists and nftnsr did not make it"):
        apply_spec(machine, article)
    assert_same(everything(), before)


def test_taken_interface_name_is_refused(machine: Machine, segment: Segment, article: Spec) -> None:
    sh("ip link add vens3 type bridge")
    before = everything()
    with pytest.raises(Refused, match="interface vens3 exists already on this host"):
        apply_spec(machine, article)
    assert_same(everything(), before)


def test_missing_uplink_is_refused_and_the_others_are_named(
    machine: Machine, article: Spec
) -> None:
    sh("ip link add enp1s0 type veth peer name p0")
    before = everything()
    with pytest.raises(Refused, match="there is no interface ens3") as refusal:
        apply_spec(machine, article)
    assert "enp1s0, p0" in refusal.value.obstacles[0].hint
    assert_same(everything(), before)


def test_default_route_over_another_link_is_not_replaced(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    sh("""
      ip route del default; ip link add other type veth peer name o; ip link set other up
      ip link set o up; ip address add 10.1.1.2/24 dev other; ip route add default via 10.1.1.1
    """)
    before = everything()
    with pytest.raises(Refused, match=r"the host has a route 0\.0\.0\.0/0 over other"):
        apply_spec(machine, article)
    assert_same(everything(), before)


def test_foreign_table_and_link_in_the_router_stay(
    machine: Machine, segment: Segment, article: Spec
) -> None:
    apply_spec(machine, article)
    sh("""
      ip netns exec ens3 nft add table inet mine
      ip -n ens3 link add br9 type bridge
      nft add table inet hosts
    """)
    apply_spec(machine, parse(ARTICLE.replace("22/tcp", "23/tcp"), "b.toml"))
    assert "table inet mine" in sh("ip netns exec ens3 nft list tables")
    assert "br9" in sh("ip -n ens3 link")
    assert "table inet hosts" in sh("nft list tables")


def test_ruleset_that_does_not_load_touches_nothing(
    machine: Machine, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nftnsr.compile.filter._rules", lambda _: iter(["no such rule"]))
    before = everything()
    # One that no other test has compiled: that is done once in a process.
    spec = parse(ARTICLE.replace("22/tcp", "2099/tcp"), "broken.toml")
    with pytest.raises(KernelError, match="refused the ruleset"):
        apply_spec(machine, spec)
    assert_same(everything(), before)
