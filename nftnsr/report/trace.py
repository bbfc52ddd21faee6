"""A packet's way through a router, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.report.words import route_words, rule_words
from nftnsr.state.model import Route
from nftnsr.trace import Trace, Way
from nftnsr.trace.fib import RT_LOCAL, RTPROT_KERNEL
from nftnsr.trace.journey import Journey
from nftnsr.trace.packet import Packet
from nftnsr.trace.places import bypass, comes, receiver, sender
from nftnsr.trace.step import Step

_WIDTH = 13


def trace_text(trace: Trace) -> str:
    """The steps, and at the end what becomes of the packet."""
    router, arrival = trace.router, trace.arrival
    lines = [f"router {router.name}: {sender(router, arrival)} sends {arrival.packet}", ""]
    if not trace.ways:
        return "\n".join([*lines, f"the router never sees it: {bypass(router, arrival)}", ""])
    first = trace.ways[0]
    lines += [_line("arrives", comes(router, arrival)), *_steps(first.there), ""]
    lines += _outcome(trace, first)
    for other in trace.ways[1:]:
        lines.append(f"or, as servers take turns: {_end(trace, other.there)}")
    return "\n".join([*lines, ""])


def trace_json(trace: Trace) -> dict[str, object]:
    """The same as data."""
    return {
        "router": trace.router.name,
        "sender": sender(trace.router, trace.arrival),
        "packet": _packet_json(trace.arrival.packet),
        "arrives": comes(trace.router, trace.arrival),
        "never_there": bypass(trace.router, trace.arrival),
        "ok": trace.arrives,
        "ways": [_way_json(trace, way) for way in trace.ways],
    }


def _outcome(trace: Trace, way: Way) -> Iterator[str]:
    yield _end(trace, way.there)
    back = way.back
    if back is None:
        return
    if way.direct:
        yield "it answers directly, past the router: from another address than the sender asked"
        return
    yield ""
    yield f"The answer, {back.sent}:"
    yield ""
    yield from _steps(back)
    yield ""
    if back.ending == "leaves":
        yield f"the sender gets it as {back.last}"
    else:
        yield f"the answer is {back.ending}"


def _end(trace: Trace, journey: Journey) -> str:
    match journey.ending:
        case "leaves":
            whom = receiver(trace.router, journey.last)
            return f"delivered by {journey.last.oif} to {whom}, as {journey.last}"
        case "local":
            return "delivered to the router itself" + (
                ", which answers it" if journey.last.protocol == "icmp" else
                ": refused, unless something listens in its namespace"
            )  # fmt: skip
        case "dropped":
            return "dropped"
        case "refused":
            return "refused: the sender gets an ICMP error"


def _steps(journey: Journey) -> Iterator[str]:
    for step in journey.steps:
        yield _line(step.stage, step.words)
        yield from (f"{'':{_WIDTH}}    {line}" for line in _grounds(step))


def _route(route: Route) -> str:
    return route_words(route).replace(f"proto {RTPROT_KERNEL}", "proto kernel")


def _line(stage: str, words: str) -> str:
    return f"  {stage:{_WIDTH}}{words}"


def _grounds(step: Step) -> Iterator[str]:
    """What decided: the rule, the element, the route."""
    if step.rule is not None:
        # What is in a chain of another name than the hook's has its chain before it.
        yield step.rule if step.chain == step.stage else f"{step.chain}: {step.rule}"
    if step.element is not None:
        yield step.element
    if step.policy is not None:
        yield rule_words(step.policy)
    if step.route is not None and step.route.table != RT_LOCAL:
        yield _route(step.route)


def _way_json(trace: Trace, way: Way) -> dict[str, object]:
    end = way.there.ending
    return {
        "ending": "delivered" if end == "leaves" else end,
        "to": receiver(trace.router, way.there.last) if end == "leaves" else None,
        "packet": _packet_json(way.there.last),
        "steps": [_step_json(step) for step in way.there.steps],
        "answer": None if way.back is None else _answer_json(way),
    }


def _answer_json(way: Way) -> dict[str, object]:
    assert way.back is not None
    return {
        "direct": way.direct,
        "ending": "delivered" if way.back.ending == "leaves" else way.back.ending,
        "packet": _packet_json(way.back.last),
        "steps": [_step_json(step) for step in way.back.steps],
    }


def _packet_json(packet: Packet) -> dict[str, object]:
    return {
        "source": str(packet.source.address),
        "source_port": packet.source.port,
        "destination": str(packet.destination.address),
        "port": packet.destination.port,
        "protocol": packet.protocol,
        "iif": packet.iif,
        "oif": packet.oif or None,
    }


def _step_json(step: Step) -> dict[str, object]:
    return {
        "stage": step.stage,
        "words": step.words,
        "chain": step.chain,
        "rule": step.rule,
        "element": step.element,
        "route": None if step.route is None else _route(step.route),
        "routing_rule": None if step.policy is None else rule_words(step.policy),
    }
