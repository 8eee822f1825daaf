"""In which order files of tests run where several run at a time: what waits beside what computes, long ones first.

Tests of faults and of machines wait most of their time, those in kernels and browsers keep processors busy. One after
the other, the first would leave processors idle, and the second would be three to a processor and miss deadlines.
Which tests run, and those of a file after each other, stays as it is; so does the place of the unit tests, which come
first and expect no pools in their process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Files that take a minute or more; one that begins late would be waited for by all.
LONG = (
    *("browser/test_at_hand_lab.py", "browser/test_collection_lab.py", "browser/test_collection_page.py"),
    *("browser/test_dashboard_lab.py", "browser/test_dashboard_page.py", "browser/test_dock_lab.py"),
    *("browser/test_hearing_lab.py", "browser/test_pool_lab.py", "browser/test_run_lab.py"),
    *("browser/test_ssh_lab.py", "browser/test_stays_lab.py", "browser/test_timeline_lab.py"),
    *("faults/test_attach.py", "faults/test_blocked.py", "faults/test_chaos.py", "faults/test_clocks.py"),
    *("faults/test_collections.py", "faults/test_data_nodes.py", "faults/test_doors.py", "faults/test_endings.py"),
    *("faults/test_http.py", "faults/test_kernel.py", "faults/test_link.py", "faults/test_locks.py"),
    *("faults/test_partitions.py", "faults/test_retries.py", "faults/test_ssh_link.py", "faults/test_ssh_machines.py"),
    *("faults/test_ssh_pool.py", "faults/test_ssh_start.py", "faults/test_streams.py"),
    *("integration/ssh/test_bootstrap.py", "integration/ssh/test_bootstrap_bare.py"),
    *("integration/test_executor_contract.py", "integration/test_projects.py", "integration/test_ssh_pool.py"),
    "integration/test_ssh_projects.py",
    *("notebooks/test_at_hand.py", "notebooks/test_blocking.py", "notebooks/test_cells.py"),
    *("notebooks/test_left_out.py", "notebooks/test_notebooks_dir.py", "notebooks/test_odd_projects.py"),
    *("notebooks/test_pages.py", "notebooks/test_projects.py", "notebooks/test_verbs.py"),
)


def spread(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in the order in which they are handed out."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(_name(item.path), []).append(item)
    first = [name for name in files if name.startswith("unit/")]
    rest = sorted((name for name in files if name not in first), key=lambda name: name not in LONG)
    waiting = list(filter(waits, rest))
    computing = [name for name in rest if name not in waiting]
    return [item for name in (*first, *evenly(computing, waiting)) for item in files[name]]


def waits(name: str) -> bool:
    """Whether the tests of a file wait for most of their time."""
    return name.startswith(("faults/", "integration/ssh/", "integration/test_ssh_"))


def evenly[T](one: Sequence[T], other: Sequence[T]) -> Iterator[T]:
    """Give what both have, each in its order, so that any part has about as much of each as the whole has."""
    taken = 0
    for number, item in enumerate(one, 1):
        yield item
        upto = len(other) * number // len(one)
        yield from other[taken:upto]
        taken = upto
    yield from other[taken:]


def _name(path: Path) -> str:
    return path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else path.as_posix()
