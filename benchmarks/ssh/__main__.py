"""``python -m benchmarks.ssh``: measure, print the tables, write them where asked."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.report import write, write_json
from benchmarks.ssh import report, runs
from benchmarks.ssh.rows import Connections, Start

PARTS = ("connections", "pools")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ssh", description=__doc__)
    parser.add_argument("--nodes", nargs="+", type=int, default=[10, 30, 100], metavar="N")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help="connections or pools")
    parser.add_argument("--home", type=Path, metavar="DIR", help="the machines' home, to keep their image (else made)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a page of the docs")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="measure nothing, read this JSON")
    parser.add_argument("--measure", choices=runs.WHAT, help=argparse.SUPPRESS)
    return parser.parse_args()


def connections(sizes: list[int]) -> list[Connections]:
    """Measure connections to so many machines each."""
    found = []
    for nodes in sizes:
        for row in runs.connections(nodes):
            print(f"{row.system}: {nodes} connected", flush=True)
            found.append(row)
    return found


def pools(sizes: list[int], home: Path | None) -> list[Start]:
    """Measure pools of so many nodes each."""
    found = []
    print("a pool of one node makes the image", flush=True)
    with runs.warmed(home) as there:
        for nodes in sizes:
            found.append(runs.pool(nodes, there))
            print(f"pool: {nodes} nodes ready after {found[-1].ready:.1f} s", flush=True)
    return found


def main() -> None:
    """Run the command."""
    options = arguments()
    if options.measure:
        runs.be(options.measure)
        return
    if options.source is not None:
        found = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        many = connections(options.nodes) if "connections" in options.only else []
        found = report.document(many, pools(options.nodes, options.home) if "pools" in options.only else [])
    rows, starts = report.rows(found)
    print("", report.text(report.CONNECTIONS, rows), "", report.text(report.POOLS, starts), sep="\n")
    if options.json is not None:
        write_json(options.json, found)
    if options.record is not None:
        write(options.record, report.page(found))


if __name__ == "__main__":
    main()
