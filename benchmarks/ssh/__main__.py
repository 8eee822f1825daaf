"""``python -m benchmarks.ssh``: measure, print the tables, write them where asked."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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


def connections(sizes: list[int]) -> list[Connections | None]:
    """Measure connections to so many machines each; None is what failed."""
    systems = runs.installed()
    return [attempt(partial(runs.connections, system, nodes), system, nodes) for nodes in sizes for system in systems]


def pools(sizes: list[int], home: Path | None) -> list[Start | None]:
    """Measure pools of so many nodes each; None is what failed."""
    with runs.at_home(home) as there:
        if attempt(partial(runs.warm, there), "a pool that makes the image", 1) is None:
            return [None]
        return [attempt(partial(runs.pool, nodes, there), "a pool", nodes) for nodes in sizes]


def attempt[R](measure: Callable[[], R], what: str, nodes: int) -> R | None:
    """Measure one thing: its failure, of which its process has told on stderr, must not cost the others theirs."""
    print(f"{what}, {nodes} nodes", flush=True)
    try:
        return measure()
    except subprocess.CalledProcessError as error:
        print(f"{what}, {nodes} nodes: failed, its process ended with {error.returncode}", file=sys.stderr)
        return None


def measured(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Measure what was asked for; return it and whether something failed."""
    rows = connections(options.nodes) if "connections" in options.only else []
    starts = pools(options.nodes, options.home) if "pools" in options.only else []
    found = report.document([row for row in rows if row is not None], [row for row in starts if row is not None])
    return found, None in rows or None in starts


def main() -> int:
    """Run the command; return 1 if something failed."""
    options = arguments()
    failed = False
    if options.measure:
        runs.be(options.measure)
        return 0
    if options.source is not None:
        found = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        found, failed = measured(options)
    print(report.texts(found))
    if options.json is not None:
        write_json(options.json, found)
    if options.record is not None:
        write(options.record, report.page(found))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
