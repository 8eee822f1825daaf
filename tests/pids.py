"""A limit of processes as containers have it: a pids cgroup, of this system's kind, for the processes of one pool."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


class Pids:
    """A group of processes that may have no more than so many."""

    def __init__(self, group: Path) -> None:
        self._group = group

    def take(self, pid: int) -> None:
        """Have a process in it, and all that it starts from now on."""
        (self._group / "cgroup.procs").write_text(str(pid))

    def full(self) -> None:
        """Have no room for another one, however many end."""
        (self._group / "pids.max").write_text("1")

    def room(self, more: int) -> None:
        """Have room for so many more."""
        now = int((self._group / "pids.current").read_text())
        (self._group / "pids.max").write_text(str(now + more))

    def free(self) -> None:
        """Have room for any number."""
        (self._group / "pids.max").write_text("max")


def _made() -> Path:
    for root in _ROOTS:
        group = root / f"skyward-{os.getpid()}-{secrets.token_hex(3)}"
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / "pids.max").exists():
                return group
            group.rmdir()
    pytest.skip("a limit of processes takes root and a pids cgroup")


@pytest.fixture
def pids() -> Iterator[Pids]:
    """A group without a limit yet; its processes are moved out in the end."""
    group = _made()
    made = Pids(group)
    yield made
    made.free()
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.procs").write_text(pid)
    group.rmdir()
