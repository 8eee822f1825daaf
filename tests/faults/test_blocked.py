"""A kernel that user code blocks for a minute, with and without the GIL, while its nodes are at work."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import World
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = [pytest.mark.kernel, pytest.mark.fault]

#: How long the kernels are blocked, and for how much of that their nodes have something to do (seconds).
BLOCKED, LINES_OF_CELL, LINES_OF_CALL, SHORT = 60, 550, 300, 40

PREPARE = """
import asyncio, ctypes, os, pathlib, time
import skyward as sky

ran = os.path.abspath("ran")

@sky.compute
def count(upto):
    for number in range(upto):
        print("number", number)
        time.sleep(0.1)
    return upto

@sky.compute
def short(number):
    with open(ran, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.2)
    return number

lost = []
pool = sky.ComputePool(nodes=2, name="{name}", worker=sky.Worker(concurrency=2), ttl=10)
for kind in (sky.events.NodeLost, sky.events.TaskRetried):
    pool.on(kind, lost.append)
pool.start()
pids = [view.pid for view in pool.nodes]
"""
CELL = (
    f"%%sky --bg --into run\nimport time\nfor i in range({LINES_OF_CELL}): print('line', i); time.sleep(0.1)\nlate = i"
)
WORK = (
    f"long = [count({LINES_OF_CALL}) > pool for _ in range(2)]\nmany = sky.gather(*map(short, range({SHORT}))) > pool"
)
BLOCKS = {
    "time.sleep": f"time.sleep({BLOCKED})",
    "a C call that holds the GIL": f"left = {BLOCKED}\nwhile left: left = ctypes.PyDLL(None).sleep(left)",
}


@pytest.fixture
def kernels(tmp_path: Path) -> Iterator[dict[str, Kernel]]:
    """A kernel for each way to block, with a pool of its own."""
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    with ExitStack() as stack:
        made = {}
        for number, how in enumerate(BLOCKS):
            folder = tmp_path / f"kernel{number}"
            folder.mkdir()
            env = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": paths}
            made[how] = stack.enter_context(kernel_in(folder, env))
            made[how].ok(PREPARE.replace("{name}", f"blocked{number}-{os.getpid()}"))
        yield made


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_without_the_kernel_loses_nothing(kernels: dict[str, Kernel], world: World) -> None:
    cells = {}
    for kernel in kernels.values():
        kernel.ok(CELL)
        kernel.ok(WORK)
        kernel.ok("while sum(view.running for view in pool.nodes) < 6: await asyncio.sleep(0.01)")
    for how, kernel in kernels.items():
        cells[how] = kernel.start(f"{BLOCKS[how]}\npathlib.Path('over').touch()")
    for how, kernel in kernels.items():
        world.until((kernel.folder / "over").exists, f"{how} is over", within=BLOCKED + 60)
        kernel.finish(cells[how])
    for how, kernel in kernels.items():
        assert cells[how].status == "ok", cells[how].traceback
        assert kernel.ok("(await run, run.state, run[1].dropped)").text == "([None, None], 'done', 0)"
        for node in range(2):
            kernel.ok(f"_ = pathlib.Path('lines').write_text(run[{node}].output)")
            assert (kernel.folder / "lines").read_text().splitlines() == [f"line {i}" for i in range(LINES_OF_CELL)]
        assert kernel.ok("[future.result() for future in long]").text == f"{[LINES_OF_CALL] * 2}"
        assert kernel.ok(f"(many.result() == list(range({SHORT})), lost)").text == "(True, [])"
        assert kernel.ok("[view.pid for view in pool.nodes] == pids").text == "True"
        assert kernel.ok("%%sky\nlate").text == f"[0-1] {LINES_OF_CELL - 1}"
        ran = Counter((kernel.folder / "ran").read_text().split())
        assert ran == Counter({str(number): 1 for number in range(SHORT)}), "each ran once"
        assert kernel.stdout.count("number") == 2 * LINES_OF_CALL
        made = f"{2 * LINES_OF_CELL} lines of a cell, {2 * LINES_OF_CALL} of calls, {SHORT + 2} calls, 2 nodes"
        print(f"{BLOCKED} s of {how}: {made}: 0 lost, 0 twice")
