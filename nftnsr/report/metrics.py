"""Metrics in the text format of Prometheus, as its node exporter's textfile collector reads them.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from nftnsr.report.usage import Usage

KINDS = (
    "namespace", "link", "address", "route", "neighbour", "sysctl", "table", "chain", "set", "map",
)  # fmt: skip
"""Every kind is told, also where nothing differs: a series that comes and goes tells less."""


@frozen
class Checked:
    """What a check of one router found."""

    router: str
    differences: Mapping[str, int]
    """How many, by the kind of what differs."""
    last_check: float
    """Seconds since the epoch."""
    seconds: float
    """How long the check took."""
    last_apply: float | None
    usage: tuple[Usage, ...]


@frozen
class _Family:
    name: str
    type: str
    help: str

    def text(self, samples: Iterable[tuple[dict[str, str], float]]) -> str:
        lines = [f"{self.name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        head = (f"# HELP {self.name} {self.help}", f"# TYPE {self.name} {self.type}")
        return "".join(f"{line}\n" for line in (*head, *lines)) if lines else ""


_IN_SYNC = _Family(
    "nftnsr_in_sync", "gauge", "Whether the kernel is as the spec says (1) or differs (0)."
)
_DIFFERENCES = _Family(
    "nftnsr_differences", "gauge", "Differences between the spec and the kernel, by kind."
)
_LAST_CHECK = _Family(
    "nftnsr_last_check_timestamp_seconds", "gauge",
    "When that was found out; one that grows old means that checks fail.",
)  # fmt: skip
_DURATION = _Family("nftnsr_check_duration_seconds", "gauge", "How long it took.")
_LAST_APPLY = _Family(
    "nftnsr_last_apply_timestamp_seconds", "gauge", "When an apply last succeeded in this boot."
)
_CONNECTIONS = _Family(
    "nftnsr_forward_connections_total", "counter", "Connections that a forward let in."
)
_PACKETS = _Family(
    "nftnsr_forward_packets_total", "counter", "Packets of its connections, in both directions."
)
_BYTES = _Family(
    "nftnsr_forward_bytes_total", "counter", "Bytes of its packets, from the IP header on."
)


def metrics_text(checked: Iterable[Checked]) -> str:
    """The whole file."""
    checked = tuple(checked)
    routers = [({"router": c.router}, c) for c in checked]
    forwards = [
        ({"router": c.router, "forward": label}, u) for c in checked for label, u in _labelled(c)
    ]
    return "".join(
        (
            _IN_SYNC.text((at, not sum(c.differences.values())) for at, c in routers),
            _DIFFERENCES.text(
                (at | {"kind": kind}, c.differences.get(kind, 0))
                for at, c in routers
                for kind in dict.fromkeys((*KINDS, *c.differences))
            ),
            _LAST_CHECK.text((at, c.last_check) for at, c in routers),
            _DURATION.text((at, c.seconds) for at, c in routers),
            _LAST_APPLY.text((at, c.last_apply) for at, c in routers if c.last_apply is not None),
            _CONNECTIONS.text((at, u.connections) for at, u in forwards),
            _PACKETS.text((at, u.packets) for at, u in forwards if u.packets is not None),
            _BYTES.text((at, u.bytes) for at, u in forwards if u.bytes is not None),
        )
    )


def _labelled(checked: Checked) -> Iterator[tuple[str, Usage]]:
    """A label of its own for each forward; two of the same words share their counts anyway."""
    names = [u.name for u in checked.usage]
    found: dict[str, Usage] = {}
    for each in checked.usage:
        label = each.label if names.count(each.name) == 1 else each.forward
        found.setdefault(label, each)
    return iter(found.items())


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
