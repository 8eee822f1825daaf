"""The text of what runs in a machine's shell."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def source(name: str) -> str:
    """A file of the directory ``remote``."""
    return (files("skyward_jupyter.ssh") / "remote" / name).read_text()
