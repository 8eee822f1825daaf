"""``python -m benchmarks``: measure, print the table, write it where asked."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
import warnings
from collections import defaultdict
from pathlib import Path

from benchmarks import measures, report
from benchmarks.rows import BY_ID, OURS
from benchmarks.systems import systems
from benchmarks.systems.base import System


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(BY_ID), metavar="ROW", help=f"of: {', '.join(BY_ID)}")
    parser.add_argument("--systems", nargs="+", metavar="NAME", help="only these (default: all that are installed)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions of each system (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a page of the docs")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="measure nothing, read this JSON")
    return parser.parse_args()


def chosen(names: list[str] | None) -> list[System]:
    """Return the systems to measure; say which are left out."""
    found = []
    for system in systems():
        if names and system.name.lower() not in {name.lower() for name in names}:
            continue
        if system.installed():
            found.append(system)
        else:
            print(f"{system.name} is not installed and left out (make bench installs it)")
    return found


def measure(repeat: int, rows: list[str], names: list[str] | None) -> tuple[dict[str, dict[str, list[float]]], int]:
    """Measure `rows`, all systems in turn in each repetition; return the values and how many attempts failed."""
    samples: dict[str, dict[str, list[float]]] = {}
    failed = 0

    def record(row: str, system: str, value: float) -> None:
        samples.setdefault(row, defaultdict(list))[system].append(value)

    present = chosen(names)
    for turn in range(repeat):
        if any(system.name == OURS for system in present):
            measures.ground(rows, record)
        for system in present:
            print(f"{turn + 1}/{repeat}  {system.name}", flush=True)
            try:
                measures.repetition(system, rows, record)
            except Exception:  # one system's failure must not cost the others their numbers
                traceback.print_exc()
                failed += 1
    return {row: dict(samples[row]) for row in BY_ID if row in samples}, failed


def main() -> int:
    """Run the command; return 1 if a system failed."""
    options = arguments()
    failed = 0
    if options.source is not None:
        found = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        warnings.filterwarnings("ignore", module="distributed")
        samples, failed = measure(options.repeat, options.only or list(BY_ID), options.systems)
        found = report.document(samples, options.repeat)
        print()
    print(report.text({row["id"]: row["values"] for row in found["rows"]}))
    if options.json is not None:
        report.write_json(options.json, found)
    if options.record is not None:
        report.write(options.record, report.page(found))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
