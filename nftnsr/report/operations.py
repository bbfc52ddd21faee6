"""Operations as the commands that a person would type: ip(8), nft(8), sysctl(8).

The text is a shell script that does what the operations do; it is printed by `compile` and kept
honest by a test that runs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import assert_never

from nftnsr.report.words import (
    address_words,
    dev_words,
    lower_words,
    route_words,
    rule_words,
    shape_words,
)
from nftnsr.state import operations as op
from nftnsr.state.flows import Flows
from nftnsr.state.model import HOST, OURS, Address, Link, Neighbour
from nftnsr.state.operations import Operation


def operations_text(operations: Iterable[Operation]) -> str:
    return "".join(f"{line}\n" for each in operations for line in operation_lines(each))


def operation_lines(operation: Operation) -> Iterator[str]:
    """The shell commands, one a line, that do one operation."""
    match operation:
        case op.CreateNamespace(name):
            yield f"ip netns add {quote(name)}"
            yield f"{_ip(name)} link set dev lo alias {OURS} up"
        case op.DeleteNamespace(name, _):
            yield f"ip netns del {quote(name)}"
        case op.AttachNamespace(name, path):
            target = quote(f"/run/netns/{name}")
            yield f"touch {target}; mount --bind {quote(path)} {target}"
        case op.CreateVeth(name, link, other):
            yield _veth(name, link, other)
        case op.CreateLower(name, link):
            yield _upon(name, link)
        case op.DeleteLink(name, dev):
            yield f"{_ip(name)} link del {dev_words(dev)}"
        case op.MoveLink(dev, source, target):
            yield f"{_ip(source)} link set {dev_words(dev)} netns {quote(target or '1')}"
        case op.RenameLink(name, dev, new):
            yield f"{_ip(name)} link set {dev_words(dev)} name {quote(new)}"
        case op.SetLink(name, link):
            yield f"{_ip(name)} link set {dev_words(link.name)} {' '.join(shape_words(link))}"
        case op.AddAltname(name, dev, new):
            yield f"{_ip(name)} link property add {dev_words(dev)} altname {quote(new)}"
        case op.DeleteAltname(name, dev, old):
            yield f"{_ip(name)} link property del {dev_words(dev)} altname {quote(old)}"
        case op.SetMaster(name, dev, master):
            above = "nomaster" if master is None else f"master {quote(master)}"
            yield f"{_ip(name)} link set {dev_words(dev)} {above}"
        case op.SetUp(name, dev, up):
            yield f"{_ip(name)} link set {dev_words(dev)} {'up' if up else 'down'}"
        case op.AddAddress(name, address):
            words = f"{address_words(address)} {dev_words(address.dev)}"
            yield f"{_ip(name)} address add {words}{_how(address)}"
        case op.DeleteAddress(name, address):
            yield f"{_ip(name)} address del {address_words(address)} {dev_words(address.dev)}"
        case op.AddRoute(name, route):
            verb = "replace" if route.destination.version == 4 else "add"
            yield f"{_ip(name, route.destination.version)} route {verb} {route_words(route)}"
        case op.DeleteRoute(name, route):
            yield f"{_ip(name, route.destination.version)} route del {route_words(route)}"
        case op.AddRule(name, rule):
            yield f"{_ip(name, rule.version)} rule add {rule_words(rule)}"
        case op.DeleteRule(name, rule):
            yield f"{_ip(name, rule.version)} rule del {rule_words(rule)}"
        case op.AddNeighbour(name, neighbour):
            yield f"{_ip(name)} neigh replace {_neighbour(neighbour)}"
        case op.DeleteNeighbour(name, neighbour):
            yield f"{_ip(name)} neigh del {_neighbour(neighbour)}"
        case op.WriteSysctls(name, settings):
            words = " ".join(quote(f"{s.path}={s.value}") for s in settings)
            yield f"{_inside(name)}sysctl -qw {words}"
        case op.LoadRuleset(name, commands):
            yield f"{_inside(name)}nft -f - <<'EOF'\n{commands}EOF"
        case op.ForgetFlows(name, flows, _):
            yield from (line for f in flows for line in _conntrack(name, f))
        case _:
            assert_never(operation)


def operation_json(operation: Operation) -> dict[str, object]:
    """The kind of an operation and the commands that do it."""
    return {"operation": type(operation).__name__, "commands": list(operation_lines(operation))}


def _veth(name: str, link: Link, other: Link) -> str:
    # Told from the host's end: only a namespace with a name can be given as the peer's.
    if link.peer is not None and link.peer[0] == HOST:
        name, link, other = HOST, other, link
    where = f" netns {quote(link.peer[0])}" if link.peer is not None else ""
    peer = f"type veth peer name {quote(other.name)} {_made(other)}{where}"
    return f"{_ip(name)} link add name {quote(link.name)} {_made(link)} {peer}"


def _upon(name: str, link: Link) -> str:
    assert link.lower is not None
    words = [f"ip link add link {quote(link.lower.parent)} name {quote(link.name)}", _made(link)]
    words += [f"netns {quote(name)}", f"type {lower_words(link.lower)}"]
    return " ".join(word for word in words if word)


def _made(link: Link) -> str:
    said = (("address", link.mac), ("mtu", link.mtu))
    return " ".join(f"{word} {value}" for word, value in said if value is not None)


def _how(address: Address) -> str:
    """How an address is added, beyond what it is."""
    nodad = " nodad" if address.interface.version == 6 and address.nodad is not False else ""
    if address.lifetime is None:
        return nodad
    valid, preferred = ("forever" if s == 0xFFFFFFFF else str(s) for s in address.lifetime)
    # What is deprecated says so itself.
    lasts = "" if address.deprecated else f" preferred_lft {preferred}"
    return f"{nodad} valid_lft {valid}{lasts}"


def _neighbour(neighbour: Neighbour) -> str:
    if neighbour.proxy:
        return f"proxy {neighbour.address} {dev_words(neighbour.dev)}"
    return f"{neighbour.address} lladdr {neighbour.mac} {dev_words(neighbour.dev)} nud permanent"


def _conntrack(name: str, flows: Flows) -> Iterator[str]:
    """conntrack(8) knows no ranges of ports, and fails where there is nothing to delete."""
    inside = _inside(name)
    for destination in flows.destinations or (None,):
        words = ["conntrack -D"]
        if flows.protocol is not None:
            words.append(f"-p {flows.protocol}")
        if destination is not None:
            way = "reply" if flows.answers else "orig"
            words.append(f"-f ipv{destination.version} --{way}-dst {destination}")
        if flows.into is not None:
            words.append(f"-f ipv{flows.into.version} --orig-dst {flows.into}")
        if flows.source is not None:
            words.append(f"--orig-src {flows.source}")
        if flows.source_port is not None:
            words.append(f"--orig-port-src {flows.source_port}")
        if flows.ports is None:
            yield inside + " ".join([*words, "|| true"])
        elif flows.ports[0] == flows.ports[1]:
            yield inside + " ".join([*words, f"--orig-port-dst {flows.ports[0]} || true"])
        else:
            loop = f"for port in $(seq {flows.ports[0]} {flows.ports[1]}); do"
            line = " ".join([loop, *words, "--orig-port-dst $port || true; done"])
            # A loop is no program that could be run in a namespace.
            yield f"{inside}sh -c {quote(line)}" if inside else line


def _ip(name: str, version: int | None = None) -> str:
    family = " -6" if version == 6 else ""
    return f"ip{family}" if name == HOST else f"ip{family} -n {quote(name)}"


def _inside(name: str) -> str:
    return "" if name == HOST else f"ip netns exec {quote(name)} "
