"""The command line of the benchmarks: `python -m tests.bench --help`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator

from tests.bench import apply, box, connections, diff, flood, rehearse, stall, watch
from tests.bench.measure import capture
from tests.bench.table import Table, as_json, as_text

BENCHMARKS: dict[str, Callable[[bool], Iterator[Table]]] = {
    "diff": diff.tables,
    "apply": apply.tables,
    "connections": connections.tables,
    "flood": flood.tables,
    "stall": stall.tables,
    "rehearse": rehearse.tables,
    "watch": watch.tables,
}


def main() -> int:
    options = _parser().parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 2
    if os.geteuid() != 0:
        print("the benchmarks need root: they make namespaces")
        return 2
    if not box.inside():
        return box.run_inside(sys.argv[1:])
    # Opened before the box covers /run: the file is the caller's.
    document = open(options.json, "w") if options.json else None  # noqa: SIM115, PTH123
    box.furnish()
    print(_machine(), flush=True)
    results: dict[str, list[Table]] = {}
    status = 0
    try:
        for name in options.names or BENCHMARKS:
            try:
                for table in BENCHMARKS[name](options.quick):
                    results.setdefault(name, []).append(table)
                    print(f"\n{as_text(table)}", flush=True)
            except RuntimeError as error:
                print(f"\n{name} could not be measured: {error}", file=sys.stderr)
                status = 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        if document is not None:
            data = {name: [as_json(t) for t in tables] for name, tables in results.items()}
            with document:
                json.dump({"machine": _machine(), "benchmarks": data}, document, indent=1)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=box.__doc__)
    names = ", ".join(BENCHMARKS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {names}; all by default")
    parser.add_argument("--json", metavar="FILE", help="also write every sample to FILE")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    return parser


def _machine() -> str:
    tools = [capture("nft", "--version").split()[1], capture("iptables", "--version")]
    return (
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, nft {tools[0]}, {tools[1]}"
    )


if __name__ == "__main__":
    sys.exit(main())
