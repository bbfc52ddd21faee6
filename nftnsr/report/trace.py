"""A packet's way through a router, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.explain import Explanation, Reasons
from nftnsr.report.explained import reason_json, reasons_words
from nftnsr.report.words import route_words, rule_words
from nftnsr.state.model import Route
from nftnsr.state.operations import AddAddress, AddRoute, AddRule, Operation
from nftnsr.trace import Trace, Way
from nftnsr.trace.fib import RT_LOCAL, RTPROT_KERNEL
from nftnsr.trace.journey import Journey
from nftnsr.trace.packet import Packet
from nftnsr.trace.places import bypass, comes, receiver, sender
from nftnsr.trace.step import Step

_WIDTH = 13


def trace_text(trace: Trace, why: Explanation, live: Way | None = None) -> str:
    """The steps with their reasons, and at the end what becomes of the packet.

    Where the kernel was asked it is its steps, and whether the compiled spec says the same.
    """
    router, arrival = trace.router, trace.arrival
    lines = [f"router {router.name}: {sender(router, arrival)} sends {arrival.packet}", ""]
    if not trace.ways:
        return "\n".join([*lines, f"the router never sees it: {bypass(router, arrival)}", ""])
    lines += [_line("arrives", comes(router, arrival))]
    if live is not None:
        said = "the same" if trace.agrees(live) else "something else, which is a fault of nftnsr"
        ended = f"the kernel did this, and the compiled spec says {said}"
        return "\n".join([*lines, *_way(live, trace, why), "", ended, ""])
    first, *others = trace.ways
    lines += _way(first, trace, why)
    lines += [f"or, as servers take turns: {_end(trace, each.there)}" for each in others]
    return "\n".join([*lines, ""])


def trace_json(trace: Trace, why: Explanation, live: Way | None = None) -> dict[str, object]:
    """The same as data; `kernel` is null unless the kernel was asked."""
    return {
        "router": trace.router.name,
        "sender": sender(trace.router, trace.arrival),
        "packet": _packet_json(trace.arrival.packet),
        "arrives": comes(trace.router, trace.arrival),
        "never_there": bypass(trace.router, trace.arrival),
        "ok": trace.arrives,
        "ways": [_way_json(way, trace, why) for way in trace.ways],
        "kernel": None
        if live is None
        else {"agrees": trace.agrees(live), **_way_json(live, trace, why)},
    }


def _way(way: Way, trace: Trace, why: Explanation) -> Iterator[str]:
    yield from _steps(way.there, trace, why)
    yield ""
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
    yield from _steps(back, trace, why)
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


def _steps(journey: Journey, trace: Trace, why: Explanation) -> Iterator[str]:
    for step in journey.steps:
        yield _line(step.stage, step.words)
        grounds = list(_grounds(step))
        if reasons := reasons_words(_reasons(step, trace.router.name, why)):
            grounds.append(f"# {reasons}")
        yield from (f"{'':{_WIDTH}}    {line}" for line in grounds)


def _reasons(step: Step, router: str, why: Explanation) -> Reasons:
    """Of the most particular thing that decided: an element before its rule."""
    if step.set is not None and step.element is not None:
        return why.of_element(router, step.set, step.element)
    if step.chain is not None and step.rule is not None:
        return why.of_rule(router, step.chain, step.rule)
    operations: list[Operation] = []
    if step.policy is not None:
        operations.append(AddRule(router, step.policy))
    if step.address is not None:
        operations.append(AddAddress(router, step.address))
    elif step.route is not None:
        operations.append(AddRoute(router, step.route))
    return tuple(dict.fromkeys(r for o in operations for r in why.of_operation(o)))


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


def _way_json(way: Way, trace: Trace, why: Explanation) -> dict[str, object]:
    end = way.there.ending
    return {
        "ending": "delivered" if end == "leaves" else end,
        "to": receiver(trace.router, way.there.last) if end == "leaves" else None,
        "packet": _packet_json(way.there.last),
        "steps": [_step_json(step, trace, why) for step in way.there.steps],
        "answer": None if way.back is None else _answer_json(way, trace, why),
    }


def _answer_json(way: Way, trace: Trace, why: Explanation) -> dict[str, object]:
    assert way.back is not None
    return {
        "direct": way.direct,
        "ending": "delivered" if way.back.ending == "leaves" else way.back.ending,
        "packet": _packet_json(way.back.last),
        "steps": [_step_json(step, trace, why) for step in way.back.steps],
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


def _step_json(step: Step, trace: Trace, why: Explanation) -> dict[str, object]:
    return {
        "stage": step.stage,
        "words": step.words,
        "chain": step.chain,
        "rule": step.rule,
        "set": step.set,
        "element": step.element,
        "route": None if step.route is None else _route(step.route),
        "routing_rule": None if step.policy is None else rule_words(step.policy),
        "reasons": [reason_json(r) for r in _reasons(step, trace.router.name, why)],
    }
