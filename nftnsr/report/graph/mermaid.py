"""The picture as Mermaid text, which many forges and wikis draw by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from nftnsr.report.graph.facts import Drawn, Edge, edges
from nftnsr.report.graph.lanes import Place

# Mermaid reads labels as Markdown and HTML, ends them at a quote, and takes `#` for an entity.
_SPECIAL: Final = frozenset("\"'#&<>;`*_\\[]{}|$~@")
_ARROWS: Final = {"forward": "-->", "more": "-.->", "open": "-->", "outward": "-.->"}


def mermaid(routers: Sequence[Drawn]) -> str:
    lines = ["flowchart LR", '  internet(["internet"])', '  subgraph machine ["this machine"]']
    for number, router in enumerate(routers, 1):
        lines += (f"    {line}" for line in _nodes(router, f"r{number}"))
    lines.append("  end")
    for number, router in enumerate(routers, 1):
        lines += (f"  {line}" for line in _links(router, f"r{number}"))
    return "\n".join(lines) + "\n"


def _nodes(router: Drawn, key: str) -> Iterator[str]:
    yield f"subgraph {key} [{_label([f'namespace {router.name}'])}]"
    yield f"  {key}u[{_label(router.outer)}]"
    yield f"  {key}v[{_label([router.router.name, *router.router.lines])}]"
    yield "end"
    yield f"{key}h[{_label(['host', router.host.name, *router.host.lines])}]"
    for number, network in zip(count(1), router.busy):
        yield f"{key}n{number}[{_label([str(network)])}]"
    for number, far in enumerate(router.further, 1):
        yield f"{key}f{number}[{_label([far.name, *far.lines])}]"
    if router.quiet:
        yield f"{key}q[{_label(router.quiet)}]"


def _links(router: Drawn, key: str) -> Iterator[str]:
    gateways = f"|{_label(router.gateways)}|" if router.gateways else ""
    yield f"internet <==>{gateways} {key}u"
    yield f'{key}v <==>|"veth"| {key}h'
    for number in range(1, len(router.further) + 1):
        yield f'{key}v <==>|"veth"| {key}f{number}'
    networks: dict[Place | None, str] = {
        network: f"{key}n{number}" for number, network in enumerate(router.busy, 1)
    }
    yield from (f"{key}h --- {node}" for node in networks.values())
    if router.quiet:
        yield f"{key}h --- {key}q"
    places = {None: f"{key}h", **networks}
    places |= {far: f"{key}f{number}" for number, far in enumerate(router.further, 1)}
    yield from (_edge(edge, f"{key}u", places[edge.place]) for edge in edges(router))


def _edge(edge: Edge, uplink: str, inside: str) -> str:
    ends = (inside, uplink) if edge.kind == "outward" else (uplink, inside)
    return f"{ends[0]} {_ARROWS[edge.kind]}|{_label(edge.lines)}| {ends[1]}"


def _label(lines: Iterable[str]) -> str:
    return '"' + "<br>".join("".join(map(_escaped, line)) for line in lines) + '"'


def _escaped(character: str) -> str:
    return f"#{ord(character)};" if character in _SPECIAL else character
