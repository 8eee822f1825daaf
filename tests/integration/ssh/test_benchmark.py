"""The benchmark of many machines runs, on three of them: everything comes back, and nothing is left."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.machines import missing

if why := missing():
    pytest.skip(why, allow_module_level=True)


def measured(folder: Path, part: str, *more: str | Path) -> list[dict[str, Any]]:
    """The rows of one part, as it wrote them."""
    found = folder / "found.json"
    command = [sys.executable, "-m", "benchmarks.ssh", "--nodes", "3", "--only", part, "--json", found, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(found.read_text())[part]
    return rows


def test_connections(tmp_path: Path) -> None:
    rows = measured(tmp_path, "connections")
    assert [row["nodes"] for row in rows] == [3] * (3 if importlib.util.find_spec("paramiko") else 2)
    bare, *ways = rows
    assert bare["connected"] is None
    for row in ways:
        # The lines come in bursts, with pauses of two seconds between them.
        assert row["streamed"] > 2
        assert min(row[what] for what in ("connected", "tunnelled", "processor", "threads", "round_trip", "rate")) > 0


def test_a_pool(tmp_path: Path, far_home: Path) -> None:
    page = tmp_path / "page.md"
    (row,) = measured(tmp_path, "pools", "--home", far_home, "--record", page)
    assert 0 < row["connected"] < row["prepared"] < row["joined"] <= row["ready"]
    # Calls on the other pool went on while this one started.
    assert row["calls"] > 10
    assert min(row[what] for what in ("before", "during", "broadcast", "memory", "stopped")) > 0
    assert row["left"] == 0
    assert "Not measured." in page.read_text().partition("## Pools")[0]
