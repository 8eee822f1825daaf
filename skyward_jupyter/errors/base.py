"""What all errors of this project are."""

from __future__ import annotations


class SkywardError(Exception):
    """Base of every error of this project."""


class UsageError(SkywardError, ValueError):
    """An option, a name or a value that cannot mean anything; nothing was run."""
