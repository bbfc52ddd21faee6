"""Laws of the ruleset as text: read, rendered, and led from one to another."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve

from nftnsr.state.model import Block, Chain, Rule_, Set, Table
from nftnsr.state.ruleset import batch, natural, read_counters, read_listing, ruleset_text

T = ("inet", "nftnsr")
MAP = ("type inet_proto . inet_service : ipv4_addr . inet_service", "counter")
HOOK = "type nat hook prerouting priority dstnat; policy accept;"
FORWARDS = Set(T, "map", "forwards", MAP, frozenset({"tcp . 22 : 10.0.0.2 . 22"}))
PREROUTING = Chain(T, "prerouting", HOOK, ("dnat ip to meta l4proto . th dport map @forwards",))
BASE: tuple[Rule_, ...] = (Table(*T), FORWARDS, PREROUTING)

LISTING = """\
table inet nftnsr {
	comment "made by nftnsr, and kept"
	flags dormant

	counter hits {
		packets 0 bytes 0
	}

	map forwards {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = { tcp . 22 counter packets 3 bytes 180 : 10.0.0.2 . 22,
				tcp . 443 counter packets 0 bytes 0 comment "web, and more" : 10.0.0.3 . 8443 }
	}

	set empty {
		type ipv4_addr
		flags interval
	}

	set one {
		type ipv4_addr
		elements = { 10.0.0.1 }
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		dnat ip to meta l4proto . th dport map @forwards
	}

	chain helper {
		counter packets 0 bytes 0 accept
	}
}
table ip other {
	chain input {
		type filter hook input priority filter; policy accept;
	}
}
"""
WEB = 'tcp . 443 comment "web, and more" : 10.0.0.3 . 8443'
READ: tuple[Rule_, ...] = (
    Table(*T, ('comment "made by nftnsr, and kept"', "flags dormant")),
    Block(T, "counter", "hits", ("packets 0 bytes 0",)),
    Set(T, "map", "forwards", MAP, frozenset({"tcp . 22 : 10.0.0.2 . 22", WEB})),
    Set(T, "set", "empty", ("type ipv4_addr", "flags interval")),
    Set(T, "set", "one", ("type ipv4_addr",), frozenset({"10.0.0.1"})),
    PREROUTING,
    Chain(T, "helper", "", ("counter packets 0 bytes 0 accept",)),
    Table("ip", "other"),
    Chain(("ip", "other"), "input", "type filter hook input priority filter; policy accept;", ()),
)


def test_listing_is_read_whole() -> None:
    assert read_listing(LISTING) == READ


def test_what_is_rendered_is_read_back() -> None:
    assert read_listing(ruleset_text(READ)) == READ


def test_comma_in_a_comment_separates_nothing() -> None:
    found = next(i for i in read_listing(LISTING) if isinstance(i, Set))
    assert WEB in found.elements
    assert len(found.elements) == 2


def test_counter_and_expiry_of_an_element_are_no_part_of_it() -> None:
    listing = LISTING.replace("10.0.0.1 }", "10.0.0.1 timeout 1m expires 59s984ms }")
    found = next(i for i in read_listing(listing) if isinstance(i, Set) and i.name == "one")
    assert found.elements == {"10.0.0.1 timeout 1m"}


def test_sets_come_before_the_chains_that_name_them() -> None:
    text = ruleset_text((PREROUTING, FORWARDS, Table(*T)))
    assert text.index("map forwards") < text.index("chain prerouting")


def test_no_text_for_no_ruleset() -> None:
    assert ruleset_text(()) == ""
    assert read_listing("") == ()


def test_natural_order_counts_numbers_as_numbers() -> None:
    wanted = ["tcp . 9", "tcp . 22", "tcp . 80-90", "tcp . 443", "udp . 1", "udp . 30000-32767"]
    shuffled = wanted.copy()
    Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=natural) == wanted


# -- batch ---------------------------------------------------------------------------------


def with_elements(*elements: str) -> tuple[Rule_, ...]:
    return (Table(*T), evolve(FORWARDS, elements=frozenset(elements)), PREROUTING)


def test_no_commands_from_a_ruleset_to_itself() -> None:
    assert batch(READ, READ) == ""


def test_first_batch_is_the_ruleset() -> None:
    assert batch(BASE, ()) == ruleset_text(BASE)


def test_one_forward_more_is_one_line() -> None:
    more = with_elements("tcp . 22 : 10.0.0.2 . 22", "tcp . 80 : 10.0.0.2 . 80")
    assert batch(more, BASE) == "add element inet nftnsr forwards { tcp . 80 : 10.0.0.2 . 80 }\n"


def test_one_forward_less_is_one_line() -> None:
    assert batch(with_elements(), BASE) == "delete element inet nftnsr forwards { tcp . 22 }\n"


def test_repointed_forward_goes_before_it_comes() -> None:
    repointed = with_elements("tcp . 22 : 10.0.0.9 . 22")
    assert batch(repointed, BASE) == (
        "delete element inet nftnsr forwards { tcp . 22 }\n"
        "add element inet nftnsr forwards { tcp . 22 : 10.0.0.9 . 22 }\n"
    )


def test_changed_rule_keeps_table_chain_and_map() -> None:
    changed = (Table(*T), FORWARDS, evolve(PREROUTING, rules=("accept",)))
    assert batch(changed, BASE) == (
        "flush chain inet nftnsr prerouting\n"
        f"add chain inet nftnsr prerouting {{ {HOOK} }}\n"
        "add rule inet nftnsr prerouting accept\n"
    )


def test_changed_policy_keeps_the_chain() -> None:
    hook = HOOK.replace("accept", "drop")
    commands = batch((Table(*T), FORWARDS, evolve(PREROUTING, hook=hook)), BASE)
    assert "delete" not in commands
    assert f"add chain inet nftnsr prerouting {{ {hook} }}\n" in commands


def test_chain_of_another_priority_is_made_anew() -> None:
    hook = HOOK.replace("dstnat", "dstnat + 1")
    lines = batch((Table(*T), FORWARDS, evolve(PREROUTING, hook=hook)), BASE).splitlines()
    assert lines[:2] == [
        "flush chain inet nftnsr prerouting",
        "delete chain inet nftnsr prerouting",
    ]


def test_map_of_another_type_is_made_anew_around_the_rules_that_name_it() -> None:
    """The kernel refuses to delete a map that a rule names."""
    retyped = evolve(FORWARDS, lines=(MAP[0], "flags interval", "counter"))
    lines = batch((Table(*T), retyped, PREROUTING), BASE).splitlines()
    order = [" ".join(line.split()[:2]) for line in lines]
    assert order == [
        "flush chain", "delete map", "add map", "add chain", "add element", "add rule",
    ]  # fmt: skip


def test_removed_map_goes_after_the_rules_that_name_it() -> None:
    lines = batch((Table(*T),), BASE).splitlines()
    assert lines == [
        "flush chain inet nftnsr prerouting",
        "delete map inet nftnsr forwards",
        "delete chain inet nftnsr prerouting",
    ]


def test_chain_comes_before_the_elements_that_name_it_and_goes_after_them() -> None:
    verdicts = Set(T, "map", "balance", ("type inet_proto . inet_service : verdict",))
    to = {c: evolve(verdicts, elements=frozenset({f"tcp . 80 : goto {c}"})) for c in ("a", "b")}
    chain = {c: Chain(T, c, "", ("accept",)) for c in ("a", "b")}
    table = Table(*T)
    assert batch((table, to["b"], chain["b"]), (table, to["a"], chain["a"])).splitlines() == [
        "flush chain inet nftnsr a",
        "delete element inet nftnsr balance { tcp . 80 }",
        "delete chain inet nftnsr a",
        "add chain inet nftnsr b",
        "add element inet nftnsr balance { tcp . 80 : goto b }",
        "add rule inet nftnsr b accept",
    ]


def test_what_packets_put_into_a_set_is_no_part_of_it() -> None:
    listing = """table inet nftnsr {
\tset limited {
\t\ttype ipv4_addr
\t\tsize 65535
\t\tflags dynamic,timeout
\t\ttimeout 1m
\t\telements = { 192.0.2.1 limit rate over 1/day burst 3 packets expires 59s }
\t}
}
"""
    lines = ("type ipv4_addr", "size 65535", "flags dynamic,timeout", "timeout 1m")
    assert read_listing(listing) == (Table(*T), Set(T, "set", "limited", lines))


def test_table_with_other_flags_is_made_anew() -> None:
    dormant = (Table(*T, ("flags dormant",)), FORWARDS, PREROUTING)
    assert batch(BASE, dormant).startswith("delete table inet nftnsr\ntable inet nftnsr {\n")


def test_foreign_block_in_our_table_is_removed() -> None:
    foreign = (*BASE, Block(T, "counter", "hits", ("packets 0 bytes 0",)))
    assert batch(BASE, foreign) == "delete counter inet nftnsr hits\n"


FTP = Block(T, "ct helper", "ftp_tcp", ('type "ftp" protocol tcp', "l3proto inet"))
ASSIGNED = Chain(T, "helpers", HOOK, ('tcp dport 21 ct helper set "ftp_tcp"',))


def test_helper_comes_before_the_rule_that_names_it_and_goes_after_it() -> None:
    with_helper = (*BASE, FTP, ASSIGNED)
    assert batch(with_helper, BASE).splitlines() == [
        'add ct helper inet nftnsr ftp_tcp { type "ftp" protocol tcp; l3proto inet; }',
        f"add chain inet nftnsr helpers {{ {HOOK} }}",
        f"add rule inet nftnsr helpers {ASSIGNED.rules[0]}",
    ]
    assert batch(BASE, with_helper).splitlines() == [
        "flush chain inet nftnsr helpers",
        "delete chain inet nftnsr helpers",
        "delete ct helper inet nftnsr ftp_tcp",
    ]


def test_helper_of_another_kind_is_made_anew_and_its_chain_refilled() -> None:
    other = evolve(FTP, lines=('type "sip" protocol tcp', "l3proto inet"))
    commands = batch((*BASE, FTP, ASSIGNED), (*BASE, other, ASSIGNED)).splitlines()
    assert [command.split("{")[0].strip() for command in commands] == [
        "flush chain inet nftnsr helpers",
        "delete ct helper inet nftnsr ftp_tcp",
        "add ct helper inet nftnsr ftp_tcp",
        "add chain inet nftnsr helpers",
        f"add rule inet nftnsr helpers {ASSIGNED.rules[0]}",
    ]


@pytest.mark.parametrize("name", ["forwards", "forwards_more"])
def test_only_rules_that_name_the_very_set_are_refilled(name: str) -> None:
    """`@forwards_more` does not name `forwards`."""
    other = evolve(FORWARDS, name="forwards_more")
    rule = f"dnat ip to meta l4proto . th dport map @{name}"
    chain = Chain(T, "other", "", (rule,))
    before = (*BASE, other, chain)
    stale = evolve(FORWARDS, lines=(*MAP[:1], "flags interval", "counter"))
    commands = batch((Table(*T), stale, PREROUTING, other, chain), before)
    assert ("flush chain inet nftnsr other" in commands) == (name == "forwards")


def test_counted_elements_of_sets_and_maps_are_read_from_a_listing() -> None:
    listing = """table inet nftnsr {
\tmap forward_ipv4 {
\t\ttype inet_proto . inet_service : ipv4_addr . inet_service
\t\tcounter
\t\telements = { tcp . 22 counter packets 3 bytes 180 : 192.168.158.2 . 22,
\t\t\t     udp . 53 counter packets 0 bytes 0 : 192.168.158.2 . 53 }
\t}

\tset traffic_ranges {
\t\ttype inet_proto . inet_service
\t\tflags interval
\t\tcounter
\t\telements = { tcp . 100-200 counter packets 7 bytes 9000,
\t\t\t     udp . 5000-6000 counter packets 1 bytes 28 }
\t}
}
"""
    assert tuple(read_counters(listing)) == (
        ("forward_ipv4", "tcp . 22", "192.168.158.2 . 22", 3, 180),
        ("forward_ipv4", "udp . 53", "192.168.158.2 . 53", 0, 0),
        ("traffic_ranges", "tcp . 100-200", "", 7, 9000),
        ("traffic_ranges", "udp . 5000-6000", "", 1, 28),
    )
