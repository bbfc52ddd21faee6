"""The picture as DOT text, for graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nftnsr.report.graph.facts import Drawn, Edge, edges
from nftnsr.report.graph.lanes import Place

_HEAD: Final = """\
digraph nftnsr {
  rankdir=LR
  node [shape=box style="rounded,filled" fillcolor=white fontname="monospace" fontsize=11]
  edge [fontname="monospace" fontsize=10]
  graph [fontname="sans-serif" fontsize=12 style=rounded]
  internet [label="internet"]"""
_LOOKS: Final = {
    "forward": "color=darkgreen",
    "more": "color=darkgreen style=dashed",
    "open": "color=darkgoldenrod",
    "outward": "color=purple style=dashed",
}


def dot(routers: Sequence[Drawn]) -> str:
    lines = [_HEAD, "  subgraph cluster_machine {", '    label="this machine"']
    for number, router in enumerate(routers, 1):
        lines += (f"    {line}" for line in _nodes(router, f"r{number}"))
    lines.append("  }")
    for number, router in enumerate(routers, 1):
        lines += (f"  {line}" for line in _links(router, f"r{number}"))
    return "\n".join([*lines, "}"]) + "\n"


def _nodes(router: Drawn, key: str) -> Iterator[str]:
    yield f"subgraph cluster_{key} {{"
    yield f"  label={_label([f'namespace {router.name}'])}"
    yield f"  {key}u [label={_label(router.outer)}]"
    yield f"  {key}v [label={_label([router.router.name, *router.router.lines])}]"
    yield "}"
    yield f"{key}h [label={_label(['host', router.host.name, *router.host.lines])}]"
    for number, network in enumerate(router.busy, 1):
        yield f"{key}n{number} [label={_label([str(network)])}]"
    for number, far in enumerate(router.further, 1):
        yield f"{key}f{number} [label={_label([far.name, *far.lines])}]"
    if router.quiet:
        yield f"{key}q [label={_label(router.quiet)}]"


def _links(router: Drawn, key: str) -> Iterator[str]:
    wire = "dir=none penwidth=2 color=dodgerblue3"
    yield f"internet -> {key}u [{wire} label={_label(router.gateways)}]"
    yield f'{key}v -> {key}h [{wire} label="veth"]'
    for number in range(1, len(router.further) + 1):
        yield f'{key}v -> {key}f{number} [{wire} label="veth"]'
    networks: dict[Place | None, str] = {
        network: f"{key}n{number}" for number, network in enumerate(router.busy, 1)
    }
    behind = [*networks.values(), *([f"{key}q"] if router.quiet else [])]
    yield from (f"{key}h -> {node} [dir=none color=gray]" for node in behind)
    places = {None: f"{key}h", **networks}
    places |= {far: f"{key}f{number}" for number, far in enumerate(router.further, 1)}
    yield from (_edge(edge, f"{key}u", places[edge.place]) for edge in edges(router))


def _edge(edge: Edge, uplink: str, inside: str) -> str:
    back = " dir=back" if edge.kind == "outward" else ""
    return f"{uplink} -> {inside} [{_LOOKS[edge.kind]}{back} label={_label(edge.lines)}]"


def _label(lines: Iterable[str]) -> str:
    """A quoted string; graphviz reads HTML entities in it, too."""
    return '"' + "\\n".join("".join(map(_escaped, line)) for line in lines) + '"'


def _escaped(character: str) -> str:
    return {"\\": "\\\\", '"': '\\"', "&": "&amp;"}.get(character, character)
