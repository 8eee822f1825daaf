"""The measured values as a table on a terminal, as JSON and as a page of the docs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.rows import OURS, ROWS, Medians, Row, Samples, verdict

COLUMNS = (OURS, "ipyparallel", "Dask", "Ray", "limit")
VERSIONS = ("skyward-jupyter", "casty", "ipyparallel", "distributed", "ray")
WORDS = {True: "holds", False: "MISSED", None: "?"}

PAGE = """\
# Benchmarks

Skyward beside ipyparallel, Dask and Ray, all on one machine, taken alternately in one run: {repeat} repetitions
of each system, the median shown. Ratios are what counts; absolute times drift between machines.
A limit is what nobody can beat there: {limits}. Measured on {date} with {cpus} processors, Python {python}, {versions}.

{table}

Each call is a call of its own: nothing is put together in chunks. An array has content that was not sent before,
except where the row says so, and the node reads every page of it. Getting ready is timed in a process that has
imported the system and done nothing else. What leaves the kernel is counted at its sockets (for Ray, whose nodes on one
machine share a store, at the store); for Skyward as if the nodes were on other machines.

The numbers come from `make bench`, and this page from `python -m benchmarks --record docs/benchmarks.md`.
"""


def number(value: float | None) -> str:
    """Write a value with three significant digits and no exponent."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def machine(names: Sequence[str] = VERSIONS) -> dict[str, Any]:
    """Tell what the run ran on, with the versions of what is installed of `names`; nothing names the machine."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def document(samples: Samples, repeat: int) -> dict[str, Any]:
    """Return everything that was measured, as JSON's types."""
    medians = Medians(samples)
    rows = []
    for row in ROWS:
        if row.id not in samples:
            continue
        judged = verdict(row, medians)
        rows.append(
            {
                "id": row.id,
                "what": row.what,
                "unit": row.unit,
                "better": row.better,
                "values": {system: list(values) for system, values in samples[row.id].items()},
                "ratio": ratio(row, medians),
                "budget": judged.words if judged else None,
                "holds": judged.holds if judged else None,
            }
        )
    return {"machine": machine(), "repeat": repeat, "rows": rows}


def ratio(row: Row, medians: Medians) -> float | None:
    """Return how many times better ours is than the best peer."""
    ours, peer = medians.of(row.id, OURS), medians.best_peer(row.id)
    if not ours or not peer:
        return None
    return peer / ours if row.better == "low" else ours / peer


def lines(samples: Samples) -> list[list[str]]:
    """Return the table's cells, header first."""
    medians = Medians(samples)
    table = [["what", "unit", *COLUMNS, "x best peer", "budget", ""]]
    for row in ROWS:
        if row.id not in samples:
            continue
        judged = verdict(row, medians)
        better = ratio(row, medians)
        table.append(
            [
                row.what,
                row.unit,
                *(number(medians.of(row.id, column)) for column in COLUMNS),
                "-" if better is None else f"{better:.2g}",
                judged.words if judged else "",
                WORDS[judged.holds] if judged else "",
            ]
        )
    return table


def text(samples: Samples) -> str:
    """Return the table for a terminal."""
    return aligned(lines(samples), "<<" + ">" * (len(COLUMNS) + 1) + "<<")


def aligned(table: list[list[str]], sides: str) -> str:
    """Return a table's cells in columns, each to its side (``<`` or ``>``)."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in table
    )


def markdown(table: list[list[str]], sides: str) -> str:
    """Return a table's cells, header first, in Markdown."""
    header, *rest = table
    rule = ["---:" if side == ">" else "---" for side in sides]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rest])


def page(found: dict[str, Any]) -> str:
    """Return `found`, a `document`, as a page in Markdown."""
    samples = {row["id"]: row["values"] for row in found["rows"]}
    header, *rest = [[*row[:-2], f"{row[-2]}: {row[-1]}" if row[-1] else ""] for row in lines(samples)]
    header[-1] = "budget"
    table = markdown([header, *rest], "<<" + ">" * (len(COLUMNS) + 1) + "<")
    on = found["machine"]
    return PAGE.format(
        repeat=found["repeat"],
        limits="; ".join(f"{row.limit} ({row.what})" for row in ROWS if row.limit and row.id in samples),
        date=on["date"],
        cpus=on["cpus"],
        python=on["python"],
        versions=", ".join(f"{name} {number}" for name, number in on["versions"].items()),
        table=table,
    )


def write(path: Path, content: str) -> None:
    """Write a file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write a `document`."""
    write(path, json.dumps(found, indent=1) + "\n")
