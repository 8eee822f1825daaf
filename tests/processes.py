"""What processes look like from outside; they may end while one looks."""

from __future__ import annotations

import contextlib

import psutil


def words_of(process: psutil.Process) -> list[str]:
    """The words of a process's command line; none of one that has ended."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def line_of(process: psutil.Process) -> str:
    """Its command line."""
    return " ".join(words_of(process))


def parents_of(process: psutil.Process) -> list[psutil.Process]:
    """What started it, if that is still there."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return [parent] if parent is not None else []
    return []
