"""An executor in a notebook, where the thread that waits is the one of the kernel's loop."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

SETUP = """
import concurrent.futures, pathlib, time
import skyward as sky
def double(n):
    time.sleep(.01)
    return 2 * n
def wait_for(path):
    pathlib.Path(path + '.started').touch()
    try:
        while not pathlib.Path(path).exists():
            time.sleep(.002)
    except KeyboardInterrupt:
        pathlib.Path(path + '.stopped').touch()
        raise
"""


@pytest.fixture
def cells(nodes: Kernel) -> Kernel:
    """A kernel with a pool of three nodes and something to run."""
    nodes.ok(SETUP)
    return nodes


def test_waiting_blocks_the_cell_and_not_the_jobs(cells: Kernel) -> None:
    cells.ok("executor = sky.Executor(sky.pool())")
    futures = "futures = [executor.submit(double, n) for n in range(20)]"
    cells.ok(f"{futures}\nseen = [future.result() for future in concurrent.futures.as_completed(futures, 60)]")
    assert cells.ok("sorted(seen) == list(range(0, 40, 2))").text == "True"
    assert cells.ok(f"{futures}\nlen(concurrent.futures.wait(futures, 60).done)").text == "20"
    assert cells.ok("list(executor.map(double, range(5)))").text == "[0, 2, 4, 6, 8]"
    assert cells.ok("await executor.submit(double, 4)").text == "8"
    assert cells.ok("executor.shutdown()\nsky.pool().state").text == "'ready'"


def test_a_pool_of_its_own_is_gone_after_the_block(cells: Kernel) -> None:
    code = "with sky.Executor(nodes=2) as executor:\n    found = executor.submit(double, 3).result()\n"
    assert cells.ok(f"{code}found, executor.pool.state").text == "(6, 'stopped')"


def test_what_a_job_prints_is_shown_in_the_cell(cells: Kernel) -> None:
    shown = cells.ok("with sky.Executor() as executor:\n    executor.submit(print, 'hello').result()")
    assert shown.stdout in ("[0] hello\n", "[1] hello\n", "[2] hello\n")


@pytest.mark.parametrize("waiting", ["future.result()", "concurrent.futures.wait([future])"])
def test_an_interrupt_stops_the_jobs_of_the_block(cells: Kernel, waiting: str) -> None:
    path = f"never-{abs(hash(waiting))}"
    shown = cells.run(
        "with sky.Executor() as executor:\n"
        f"    future = executor.submit(wait_for, {str(cells.folder / path)!r})\n"
        f"    while not pathlib.Path({str(cells.folder / path)!r} + '.started').exists():\n"
        "        time.sleep(.002)\n"
        "    print('waiting', flush=True)\n"
        f"    {waiting}",
        interrupt_at="waiting",
    )
    assert shown.ename == "KeyboardInterrupt"
    assert shown.seconds < 30
    assert cells.ok("future.cancelled()").text == "True"
    stopped = "while not pathlib.Path({!r}).exists():\n    time.sleep(.01)"
    cells.ok(stopped.format(str(cells.folder / path) + ".stopped"))
    assert (
        cells.ok("with sky.Executor() as executor:\n    found = executor.submit(double, 3).result()\nfound").text == "6"
    )
