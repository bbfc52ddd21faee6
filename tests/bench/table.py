"""Results as a table of medians and ratios, and as JSON with every sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from attrs import frozen


@frozen
class Row:
    """One subject and its samples, in the unit of its table."""

    name: str
    samples: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float | None:
        return median(self.samples) if self.samples else None


@frozen
class Table:
    """Subjects that were measured side by side; ratios are to the row called `base`."""

    title: str
    unit: str
    rows: tuple[Row, ...]
    base: str | None = None
    remark: str = ""

    def ratio(self, row: Row) -> float | None:
        base = next((r.median for r in self.rows if r.name == self.base), None)
        return row.median / base if base and row.median is not None else None


def rows(samples: Mapping[str, Iterable[float]], scale: float = 1.0) -> tuple[Row, ...]:
    """A row for each subject, its samples multiplied by `scale`."""
    return tuple(Row(name, tuple(s * scale for s in each)) for name, each in samples.items())


def as_text(table: Table) -> str:
    ratio = "ratio" if table.base else ""
    head = ("", f"median {table.unit}", "least", "most", "runs", ratio, "")
    cells = [head, *(_cells(table, row) for row in table.rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(head))]
    lines = [f"{table.title}"]
    for line in cells:
        first, *figures, note = line
        right = (cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=False))
        lines.append(f"  {first.ljust(widths[0])}  {'  '.join(right)}  {note}".rstrip())
    return "\n".join([*lines, *([f"  {table.remark}"] if table.remark else [])])


def as_json(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "unit": table.unit,
        "base": table.base,
        "remark": table.remark,
        "rows": [
            {
                "name": row.name,
                "median": row.median,
                "ratio": table.ratio(row),
                "samples": row.samples,
                "note": row.note,
            }
            for row in table.rows
        ],
    }


def _cells(table: Table, row: Row) -> tuple[str, ...]:
    ratio = table.ratio(row)
    return (
        row.name,
        _figure(row.median),
        _figure(min(row.samples, default=None)),
        _figure(max(row.samples, default=None)),
        str(len(row.samples)),
        "" if ratio is None else f"{ratio:.2f}",
        row.note,
    )


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 1000 and value != int(value) else f"{value:,.0f}"
