"""The nouns of a state in the words of iproute2, nft and sysctl."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import assert_never

from attrs import evolve

from nftnsr.state.model import (
    HOST,
    RT_MAIN,
    Address,
    Block,
    Chain,
    Hop,
    Item,
    Link,
    Lower,
    Neighbour,
    PolicyRule,
    Route,
    Set,
    Sysctl,
    Table,
)

_KINDS = {1: "", 2: "local ", 5: "multicast ", 6: "blackhole ", 7: "unreachable ", 8: "prohibit "}
_FOREVER = 0xFFFFFFFF
_SELECTORS = {"ip_proto": "ipproto", "sport_range": "sport", "dport_range": "dport",
              "uid_range": "uidrange",
              "flow": "realms"}  # fmt: skip
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host"}


def namespace_words(name: str) -> str:
    return "host" if name == HOST else f"namespace {name}"


def item_words(item: Item) -> str:
    """One line for one item, as `ip`, `nft` or `sysctl` would name it."""
    match item:
        case Link():
            called = () if item.called == item.name else ("called", quote(item.called))
            return " ".join(("link", quote(item.name), *called, *link_words(item)))
        case Address():
            return " ".join(("address", address_words(item), dev_words(item.dev), *_lasts(item)))
        case Route():
            return f"route {route_words(item)}"
        case PolicyRule():
            return f"rule {rule_words(item)}"
        case Neighbour():
            kind = "proxy" if item.proxy else f"lladdr {item.mac} nud permanent"
            return f"neighbour {item.address} {dev_words(item.dev)} {kind}"
        case Sysctl():
            return f"sysctl {sysctl_name(item.path)} = {item.value}"
        case Table():
            return f"table {item.family} {item.name}"
        case Chain() | Set() | Block():
            kind = "chain" if isinstance(item, Chain) else item.kind
            return f"{kind} {' '.join(item.table)} {item.name}"
        case _:
            assert_never(item)


def link_words(link: Link) -> Iterator[str]:
    """What a link is beyond its name, as arguments of `ip link`."""
    if link.peer is not None:
        namespace, name = link.peer
        yield f"type veth peer {name} in {namespace_words(namespace)}"
    if link.lower is not None:
        yield f"link {quote(link.lower.parent)} type {lower_words(link.lower)}"
    # The flags that every link has unless somebody takes them away are not worth a word.
    arp, multicast = (None if flag else flag for flag in (link.arp, link.multicast))
    usual = evolve(link, alias=link.alias or None, arp=arp, multicast=multicast)
    yield from shape_words(usual)
    yield from (f"altname {quote(name)}" for name in link.altnames or ())
    if link.master is not None:
        yield f"master {quote(link.master[1])}"
    yield "up" if link.up else "down"


def shape_words(link: Link) -> Iterator[str]:
    """What of a link `ip link set` can set, but for its name and whether it is up."""
    for word, value in (
        ("address", link.mac), ("mtu", link.mtu), ("txqlen", link.queue_length),
        ("alias", None if link.alias is None else quote(link.alias)),
    ):  # fmt: skip
        if value is not None:
            yield f"{word} {value}"
    for word, on in (("arp", link.arp), ("multicast", link.multicast)):
        if on is not None:
            yield f"{word} {'on' if on else 'off'}"


def lower_words(lower: Lower) -> str:
    """The kind of a link that is made upon another, as `ip link add type` takes it."""
    mode = "" if lower.mode is None else f" mode {lower.mode}"
    return f"{lower.kind}{mode}" + ("" if lower.id is None else f" id {lower.id}")


def address_words(address: Address) -> str:
    words = [str(address.interface)]
    if address.peer is not None:
        words = [
            str(address.interface.ip),
            f"peer {address.peer}/{address.interface.network.prefixlen}",
        ]
    if address.broadcast is not None:
        words.append(f"broadcast {address.broadcast}")
    if address.scope:
        words.append(f"scope {_SCOPES.get(address.scope, address.scope)}")
    if address.label is not None and address.label != address.dev:
        words.append(f"label {quote(address.label)}")
    if address.metric:
        words.append(f"metric {address.metric}")
    if address.noprefixroute:
        words.append("noprefixroute")
    if address.learns:
        words.append("mngtmpaddr")
    if address.deprecated:
        words.append("preferred_lft 0")
    return " ".join(words)


def _lasts(address: Address) -> Iterator[str]:
    """For how long it does, in the words of `ip address show`."""
    valid, preferred = address.lifetime or (_FOREVER, _FOREVER)
    if valid != _FOREVER:
        yield f"valid_lft {valid}sec"
    if preferred != _FOREVER and not address.deprecated:
        yield f"preferred_lft {preferred}sec"


def route_words(route: Route) -> str:
    """A route as `ip route` prints it."""
    version, default = route.destination.version, route.destination.prefixlen == 0
    head = _KINDS.get(route.kind, f"type {route.kind} ")
    words = [head + ("default" if default else str(route.destination))]
    if len(route.hops) == 1:
        words += hop_words(route.hops[0], version)
    else:
        for hop in route.hops:
            words += ["nexthop", *hop_words(hop, version), f"weight {hop.weight}"]
    if route.tos:
        words.append(f"tos {route.tos:#x}")
    if route.table != RT_MAIN:
        words.append(f"table {route.table}")
    if route.scope and version == 4:
        words.append(f"scope {_SCOPES.get(route.scope, route.scope)}")
    if route.source is not None:
        words.append(f"src {route.source}")
    if route.metric:
        words.append(f"metric {route.metric}")
    words += [f"{name} {value}" for name, value in route.metrics]
    return " ".join([*words, f"proto {route.protocol}"])


def rule_words(rule: PolicyRule) -> str:
    """A rule as `ip rule add` takes it."""
    words = ["not"] * ("flags" in dict(rule.more)) + [f"from {rule.source or 'all'}"]
    if rule.destination is not None:
        words.append(f"to {rule.destination}")
    if rule.mark is not None:
        mark, mask = rule.mark
        words.append(f"fwmark {mark:#x}" + ("" if mask == 2**32 - 1 else f"/{mask:#x}"))
    words += [f"{w} {quote(n)}" for w, n in (("iif", rule.iif), ("oif", rule.oif)) if n is not None]
    words += [f"{_SELECTORS.get(w, w)} {_range(v)}" for w, v in rule.more if w != "flags"]
    words.append(f"priority {rule.priority}")
    words.append(_KINDS[rule.kind].strip() or f"lookup {rule.table}")
    if rule.suppress is not None:
        words.append(f"suppress_prefixlength {rule.suppress}")
    return " ".join([*words, f"protocol {rule.protocol}"])


def _range(value: int | str) -> str:
    first, _, last = str(value).partition(":")
    return first if last in ("", first) else f"{first}-{last}"


def hop_words(hop: Hop, version: int) -> Iterator[str]:
    """The words of one next hop of a route of this IP version."""
    if hop.via is not None:
        yield f"via {hop.via}" if hop.via.version == version else f"via inet6 {hop.via}"
    if hop.dev is not None:
        yield dev_words(hop.dev)
    if hop.onlink:
        yield "onlink"


def dev_words(name: str) -> str:
    """`dev NAME`; the kernel takes nearly every character in a name, a shell does not."""
    return f"dev {quote(name)}"


def sysctl_name(path: str) -> str:
    """A path below /proc/sys as sysctl(8) writes it: dots, and slashes for dots in link names."""
    return path.translate(str.maketrans("/.", "./"))
