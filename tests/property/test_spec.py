"""Laws of the spec: what is rendered is read back, and nothing but SpecError is ever raised."""

from __future__ import annotations

import json
from ipaddress import IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

import tomli
from hypothesis import example, given
from hypothesis import strategies as st

from nftnsr.report.problems import problems_json, problems_text
from nftnsr.spec import SpecError, parse
from nftnsr.spec.forwards import short
from nftnsr.spec.model import (
    HOST_ITSELF,
    Address,
    Forward,
    Inner,
    Interface,
    Limit,
    OneToOne,
    Ports,
    PrefixPair,
    Rate,
    Router,
    SourceNat,
    Spec,
    Target,
    Uplink,
)
from nftnsr.spec.rules.overlaps import Area, Stretch, clashing, overlapping

SOURCES = {
    4: [ip_network("203.0.113.0/24"), ip_network("198.51.100.0/25"), ip_network("0.0.0.0/0")],
    6: [ip_network("2001:db8:9::/48"), ip_network("fd00::/8")],
}


@st.composite
def forwards(draw: st.DrawFn, k: int, families: list[int], ports: Ports) -> Forward:
    target, family = None, None
    if draw(st.booleans()):
        family = draw(st.sampled_from(families))
        last = draw(st.integers(2, 250))
        target = ip_address(f"10.{k}.0.{last}" if family == 4 else f"fd00:{k:x}::{last:x}")
    candidates = [s for f in families if family in (None, f) for s in SOURCES[f]]
    public = [own(k, f).ip for f in families if family in (None, f)]
    targets = (Target(target, draw(st.none() | shifted(ports))),)
    # The host itself, on the same port, has no words in a list.
    if targets != (HOST_ITSELF,) and draw(st.booleans()):
        targets += (Target(ip_address(f"10.{k}.0.1" if 4 in families else f"fd00:{k:x}::1")),)
    limits = st.builds(
        Limit,
        st.builds(Rate, st.integers(1, 999999), st.sampled_from(["second", "hour"])),
        st.integers(1, 999999),
    )
    return Forward(
        ports=(ports,),
        protocols=draw(st.sampled_from([("tcp",), ("udp",), ("udp", "tcp"), ("sctp",)])),
        targets=targets,
        addresses=tuple(public) if draw(st.booleans()) else (),
        sources=tuple(draw(st.lists(st.sampled_from(candidates), unique=True, max_size=2))),
        name=draw(st.none() | st.just(f"forward {ports}")),
        hairpin=draw(st.booleans()),
        balance=draw(st.sampled_from(["source", "round-robin"])) if targets[1:] else "source",
        limit=draw(st.none() | limits),
        hide_client=draw(st.booleans()),
    )


def shifted(ports: Ports) -> st.SearchStrategy[Ports]:
    """As many ports elsewhere."""
    firsts = st.integers(1, 65536 - ports.count)
    return firsts.map(lambda first: Ports(first, first + ports.count - 1))


@st.composite
def port_ranges(draw: st.DrawFn) -> list[Ports]:
    edges = sorted(draw(st.sets(st.integers(1, 65535), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [Ports(a, draw(st.sampled_from([a, b]))) for a, b in pairs]


def own(k: int, family: int) -> Interface:
    return ip_interface(f"192.0.{k}.10/24" if family == 4 else f"2001:db8:{k:x}::3/64")


def inner_link(k: int, n: int, families: list[int]) -> Inner:
    """The first is in a namespace, the second a further one to the host."""
    has4, has6 = 4 in families, 6 in families
    return Inner(
        name=f"l{n}",
        namespace=[f"space{k}", None][n],
        interface=[f"eth{k}", f"further{k}"][n],
        addresses=(
            *[ip_interface(f"172.{17 + n}.{k}.2/24")] * has4,
            *[ip_interface(f"2001:db8:{k:x}::{n + 7}/128")] * has6,
        ),
        router_addresses=(ip_interface(f"172.{17 + n}.{k}.1/24"),) * has4,
        router_interface=["l0", "other"][n],
        networks=(ip_network(f"172.{30 + n}.{k}.0/24"),) * has4,
        default_route=n == 0,
        table=[None, 100 + k][n],
        mtu=1400 + n,
        mac=[None, f"02:00:00:00:01:{k:02x}"][n],
    )


def further(k: int, families: list[int]) -> list[Uplink]:
    """More of them, the one with the lower metric not the first by name."""
    prefixes = {4: f"100.64.{k}.5/24", 6: f"2001:db8:a{k:x}::5/64"}
    more = {4: f"100.65.{k}.5/24", 6: f"2001:db8:b{k:x}::5/64"}
    return [
        Uplink(
            f"wwan{k}", tuple(ip_interface(prefixes[f]) for f in families),
            (ip_address(f"100.64.{k}.1"),) * (4 in families), name="lte", metric=7, mark=0x200 + k,
            networks=(ip_network(f"10.{k}.128.0/17"),) * (4 in families), mtu=1400,
        ),
        Uplink(
            f"dsl{k}", tuple(ip_interface(more[f]) for f in families), name=f"dsl{k}", metric=100,
            mark=1100,
        ),
    ]  # fmt: skip


@st.composite
def routers(draw: st.DrawFn, k: int) -> Router:
    families = draw(st.sampled_from([[4], [6], [4, 6]]))
    has4, has6 = 4 in families, 6 in families
    gateways = [ip_address(f"192.0.{k}.1")] * has4 + [ip_address("fe80::1")] * has6
    host = [ip_interface(f"172.16.{k}.2/24")] * has4
    host += [ip_interface(f"2001:db8:{k:x}::2/128")] * has6
    networks = [ip_network(f"10.{k}.0.0/16")] * has4 + [ip_network(f"fd00:{k:x}::/32")] * has6
    pairs = [OneToOne(ip_address(f"198.51.{k}.9"), ip_address(f"10.{k}.0.9"))] * has4
    pool = ip_address(f"203.0.{k}.4"), ip_address(f"203.0.{k}.{draw(st.integers(4, 9))}")
    nats = [SourceNat(ip_network(f"10.{k}.0.0/24"), *pool, draw(st.booleans()))] * has4
    prefix = PrefixPair(IPv6Network(f"2001:db8:f{k:x}::/48"), IPv6Network(f"fd00:{k:x}:1::/48"))
    return Router(
        name=f"r{k}",
        uplinks=(
            Uplink(
                dev=f"eth{k}",
                addresses=tuple(own(k, f) for f in families),
                gateways=tuple(gateways) if draw(st.booleans()) else (),
            ),
            *(uplink for uplink in further(k, families) if draw(st.booleans())),
        ),
        forward=tuple(draw(forwards(k, families, ports)) for ports in draw(port_ranges())),
        host=Inner(
            interface=f"veth{k}",
            addresses=tuple(host),
            router_addresses=(ip_interface(f"172.16.{k}.1/24"),) * has4,
            router_interface=draw(st.none() | st.just("up")),
            networks=tuple(networks),
            default_route=k == 0,
        ),
        inner=tuple(inner_link(k, n, families) for n in range(draw(st.integers(0, 2)))),
        masquerade=draw(st.booleans()),
        one_to_one=tuple(pairs) if draw(st.booleans()) else (),
        prefix_translation=(prefix,) * has6 if draw(st.booleans()) else (),
        snat=tuple(nats),
        no_nat=(ip_network("192.168.8.0/24"),) * has4 if draw(st.booleans()) else (),
        helpers=draw(st.sampled_from([(), ("ftp",), ("ftp", "sip", "tftp")])),
        source_ports=draw(st.sampled_from(["preserve", "random", "fully-random"]))
        if has4
        else "preserve",
        hairpin=draw(st.booleans()),
        counters=draw(st.booleans()),
        inbound_ipv6=draw(st.sampled_from(["open", "forwards"])),
        proxy_delay=draw(st.integers(0, 100)),
        accept_ra=draw(st.sampled_from([0, 1, 2])),
    )


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    count = draw(st.integers(1, 3))
    return Spec(tuple(draw(routers(k)) for k in range(count)))


def forward_data(forward: Forward) -> Any:
    if forward == Forward(
        forward.ports, forward.protocols, forward.targets, forward.addresses[:1]
    ) and len(forward.targets) == 1:  # fmt: skip
        return forward.text
    ports = [p.first if p.single else str(p) for p in forward.ports]
    data: dict[str, Any] = {
        "port": ports[0] if len(ports) == 1 else ports,
        "protocol": "+".join(forward.protocols),
        "hairpin": forward.hairpin,
        "hide_client": forward.hide_client,
    }
    if len(forward.targets) > 1:
        data["balance"] = forward.balance
    if forward.limit is not None:
        data["limit"] = str(forward.limit)
    if not forward.to_host:
        data["to"] = [t.text for t in forward.targets]
    if forward.addresses:
        data["address"] = [str(ip) for ip in forward.addresses]
    if forward.sources:
        data["from"] = [str(source) for source in forward.sources]
    if forward.name is not None:
        data["name"] = forward.name
    return data


def snat_data(nat: SourceNat) -> Any:
    if not nat.persistent:
        return nat.text
    return {"from": str(nat.network), "to": nat.pool, "persistent": True}


def data_of(spec: Spec) -> dict[str, Any]:
    return {"router": {router.name: router_data(router) for router in spec.routers}}


def router_data(router: Router) -> dict[str, Any]:
    host = router.host
    data = {
        "uplink": router.uplinks[0].dev,
        "addresses": [str(a) for a in router.uplinks[0].addresses],
        "gateways": [str(g) for g in router.uplinks[0].gateways],
        "uplinks": {uplink.name: uplink_data(uplink) for uplink in router.uplinks[1:]},
        "forward": [forward_data(f) for f in router.forward],
        "masquerade": router.masquerade,
        "one_to_one": [pair.text for pair in router.one_to_one],
        "prefix_translation": [pair.text for pair in router.prefix_translation],
        "snat": [snat_data(nat) for nat in router.snat],
        "no_nat": [str(network) for network in router.no_nat],
        "helpers": list(reversed(router.helpers)),
        "source_ports": router.source_ports,
        "hairpin": router.hairpin,
        "counters": router.counters,
        "inbound_ipv6": router.inbound_ipv6,
        "proxy_delay": router.proxy_delay,
        "accept_ra": router.accept_ra,
        "host": {
            "interface": host.interface,
            "addresses": [str(a) for a in host.addresses],
            "router_addresses": [str(a) for a in host.router_addresses],
            "networks": [str(n) for n in host.networks],
            "default_route": host.default_route,
        },
    }
    if host.router_interface is not None:
        data["host"]["router_interface"] = host.router_interface
    if router.inner:
        data["inner"] = {link.name: inner_data(link) for link in reversed(router.inner)}
    return data


def inner_data(link: Inner) -> dict[str, Any]:
    """What is the default is left out, as people do."""
    data: dict[str, Any] = {
        "interface": link.interface,
        "addresses": [str(a) for a in link.addresses],
        "router_addresses": [str(a) for a in link.router_addresses],
        "networks": [str(n) for n in link.networks],
        "mtu": link.mtu,
    }
    optional = ("namespace", "table", "mac")
    data |= {key: value for key in optional if (value := getattr(link, key)) is not None}
    if link.router_interface != link.name:
        data["router_interface"] = link.router_interface
    return data


def uplink_data(uplink: Uplink) -> dict[str, Any]:
    """What is implied where it can be."""
    data: dict[str, Any] = {"addresses": [str(a) for a in uplink.addresses]}
    data |= {"gateways": [str(g) for g in uplink.gateways]} if uplink.gateways else {}
    data |= {"uplink": uplink.dev} if uplink.dev != uplink.name else {}
    data |= {"metric": uplink.metric} if uplink.metric != 100 else {}
    data |= {"mark": uplink.mark} if uplink.mark != 1000 + uplink.metric else {}
    data |= {"networks": [str(n) for n in uplink.networks]} if uplink.networks else {}
    return data | ({"mtu": uplink.mtu} if uplink.mtu is not None else {})


def toml(value: Any) -> str:
    """A value of TOML, all inline."""
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return json.dumps(value)


def document(data: dict[str, Any]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in data.items())


@given(specs())
def test_a_rendered_spec_is_read_back(spec: Spec) -> None:
    assert parse(document(data_of(spec)), "spec.toml") == spec


@given(specs(), st.randoms(use_true_random=False))
def test_order_of_tables_and_keys_never_matters(spec: Spec, random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        items = [(key, shuffled(item)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)

    assert parse(document(shuffled(data_of(spec))), "spec.toml") == spec


def usable(target: Address | None) -> bool:
    if target is None:
        return True
    if target.is_multicast or target.is_unspecified or target.is_loopback:
        return False
    return str(target) != "255.255.255.255" and getattr(target, "ipv4_mapped", None) is None


@st.composite
def short_forwards(draw: st.DrawFn) -> Forward:
    edges = sorted(draw(st.sets(st.integers(1, 65535), min_size=2, max_size=6)))
    ports = [Ports(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
    ports = [p if draw(st.booleans()) else Ports(p.first, p.first) for p in ports]
    addresses = st.none() | st.ip_addresses().filter(usable)
    target = Target(
        draw(addresses), draw(st.none() | shifted(ports[0])) if len(ports) == 1 else None
    )
    kinds = st.permutations(["tcp", "udp", "sctp"]).map(tuple)
    protocols = draw(kinds)[: draw(st.integers(1, 3))]
    public = draw(addresses)
    return Forward(tuple(ports), protocols, (target,), () if public is None else (public,))


@given(short_forwards())
def test_text_of_a_forward_is_the_inverse_of_the_short_form(forward: Forward) -> None:
    assert short(forward.text) == forward


def refuses_or_reads(text: str | bytes) -> None:
    """Whatever stands in the file: a spec, or problems that have a place in it."""
    try:
        assert parse(text, "spec.toml").routers
    except SpecError as error:
        assert error.problems
        shown = problems_text(error.problems, colour=False)
        assert "\x1b" not in shown
        json.dumps(problems_json(error.problems)).encode()
        lines = str(text).removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
        for problem in error.problems:
            assert problem.message
            if problem.line is not None and isinstance(text, str):
                assert problem.column is not None and problem.end_column is not None
                assert problem.source == lines[problem.line - 1]
                assert 1 <= problem.column < problem.end_column
                assert problem.column <= len(problem.source) + 1


def multiline(spec: Spec) -> str:
    """In the style that people write."""
    lines = []
    for router in spec.routers:
        data = router_data(router)
        host = data.pop("host")
        for header, table in ((router.name, data), (f"{router.name}.host", host)):
            lines.append(f"[router.{header}]")
            for key, value in table.items():
                if isinstance(value, list):
                    inner = "".join(f"  {toml(item)}, # {key}\n" for item in value)
                    lines.append(f"{key} = [\n{inner}]")
                else:
                    lines.append(f"{key} = {toml(value)}")
    return "\n".join(lines) + "\n"


@given(specs())
def test_style_never_matters(spec: Spec) -> None:
    assert parse(multiline(spec), "a") == parse(document(data_of(spec)), "b") == spec
    assert parse(multiline(spec).replace("\n", "\r\n").encode("utf-8-sig"), "c") == spec


@given(specs(), st.data())
def test_text_that_was_cut_or_garbled_is_refused_or_read(spec: Spec, data: st.DataObject) -> None:
    text = multiline(spec)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        junk = st.sampled_from(
            ['"', "'", "[", "]", "{", "}", "=", ",", "\n", "#", ".", "1", "\t", "-"]
        )
        chunk = st.text(max_size=4) | junk | st.just(text[start:end] * 2)
        text = text[:start] + data.draw(chunk) + text[end:]
    refuses_or_reads(text)


@given(st.binary(max_size=60) | st.text(max_size=60))
@example("router = " + "[" * 400 + "]" * 400)
@example("router = " + "{a=" * 399 + "1" + "}" * 399)
@example("x = 0x" + "f" * 9000)
@example("router." + "a." * 900 + "b = 1")
def test_any_text_is_refused_or_read(text: str | bytes) -> None:
    refuses_or_reads(text)


WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.sampled_from(["1.2.3.4", "1.2.3.4/24", "fe80::1", "::/0", "22/tcp", "1-2", "a -> b", "lo"]),
    st.sampled_from(["10.0.0.2/16", "2001:db8::3/64", "2001:db8::2/128", "192.0.0.10/24", "veth0"]),
    st.lists(st.integers() | st.just("é"), max_size=2),
    st.dictionaries(st.sampled_from(["port", "to", "host", "x"]), st.integers(), max_size=2),
)


def spoilt(value: Any, data: st.DataObject) -> Any:
    """The same data with one value, somewhere in it, replaced or left out."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        copy = value.copy()
        copy[key] = spoilt(value[key], data)
        if copy[key] is None:
            del copy[key]
        return copy
    return data.draw(WRONG)


@given(specs(), st.data())
def test_data_with_wrong_values_is_refused_or_read(spec: Spec, data: st.DataObject) -> None:
    spoiled = data_of(spec)
    for _ in range(data.draw(st.integers(1, 3))):
        again = spoilt(spoiled, data)
        spoiled = again if isinstance(again, dict) else spoiled
    text = document(spoiled)
    tomli.loads(text)
    refuses_or_reads(text)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8))))
def test_sweep_finds_an_overlap_of_each_item_that_has_one(pairs: list[tuple[int, int]]) -> None:
    items = [Stretch(a, a + n, rank, rank) for rank, (a, n) in enumerate(pairs)]
    found = list(overlapping(items))
    for elder, younger in found:
        one, other = items[elder], items[younger]
        assert elder < younger
        assert one.first <= other.last and other.first <= one.last
    touched = {rank for pair in found for rank in pair}
    for one in items:
        for other in items:
            if one.rank != other.rank and one.first <= other.last and other.first <= one.last:
                assert one.rank in touched


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(-1, 9), st.integers(0, 4)))
)
def test_sweep_of_areas_finds_a_clash_exactly_when_there_is_one(
    shapes: list[tuple[int, int, int, int]],
) -> None:
    areas = [
        Area(first, first + ports, low, low + senders, rank, rank)
        for rank, (first, ports, low, senders) in enumerate(shapes)
    ]

    def clash(one: Area[int], other: Area[int]) -> bool:
        ports = one.first <= other.last and other.first <= one.last
        return ports and one.low <= other.high and other.low <= one.high

    found = list(clashing(areas))
    assert all(clash(one, other) and one.rank < other.rank for one, other in found)
    real = any(clash(a, b) for a in areas for b in areas if a.rank < b.rank)
    assert bool(found) == real
