"""Reads what lies beside its code, in the ways in which people do it."""

from __future__ import annotations

import json
import os
import pkgutil
import tomllib
from importlib import resources
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
SETTINGS = tomllib.loads((ROOT / "settings.toml").read_text())
CITIES = json.loads((HERE / "data" / "cities.json").read_text())
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "rivers.txt"), encoding="utf-8") as _rivers:
    RIVERS = _rivers.read().splitlines()


def units() -> str:
    return SETTINGS["atlas"]["units"]


def by_resources() -> str:
    return resources.files(__package__).joinpath("data/template.html").read_text().strip()


def as_file() -> int:
    with resources.as_file(resources.files("atlas") / "data" / "grid.bin") as path:
        return path.stat().st_size


def by_pkgutil() -> int:
    return len(pkgutil.get_data("atlas", "data/grid.bin") or b"")


def listed() -> list[str]:
    return sorted(path.name for path in (HERE / "data").iterdir())


def query(name: str) -> str:
    """A file that nobody reads before it is asked for."""
    return (HERE / "sql" / f"{name}.sql").read_text().strip()
