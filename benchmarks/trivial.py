"""The call that costs nothing, in a module that needs nothing where it runs."""

from __future__ import annotations


def one() -> int:
    """Return 1."""
    return 1
