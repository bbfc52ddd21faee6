"""Pictures of a spec: pure functions from the routers to SVG, Mermaid and DOT text."""

from __future__ import annotations

from typing import Literal, assert_never

from nftnsr.report.graph.dot import dot
from nftnsr.report.graph.facts import drawn
from nftnsr.report.graph.mermaid import mermaid
from nftnsr.report.graph.svg import svg
from nftnsr.spec.model import Spec

Format = Literal["svg", "mermaid", "dot"]


def picture(spec: Spec, format: Format = "svg") -> str:
    """All routers of the spec in one picture."""
    routers = [drawn(router) for router in spec.routers]
    match format:
        case "svg":
            return svg(routers)
        case "mermaid":
            return mermaid(routers)
        case "dot":
            return dot(routers)
        case _:
            assert_never(format)
