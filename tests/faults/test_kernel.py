"""A kernel that is interrupted at random, killed, restarted, or that runs two pools at once."""

from __future__ import annotations

import os
import random
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import World
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = [pytest.mark.kernel, pytest.mark.fault]

PREPARE = """
import asyncio, os, signal, time
import skyward as sky

@sky.compute
def nap(seconds):
    time.sleep(seconds)
    return seconds

@sky.compute
def loop():
    while True:
        time.sleep(0.005)

@sky.compute
def me():
    return sky.instance_info().node

def background():
    return sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks())
"""

#: Cells that block, await, or are awaited for us; each would run longer than it takes to interrupt it.
CELLS = (
    "loop() >> pool",
    "loop() @ pool",
    "sky.gather(*[nap(0.01) for _ in range(2000)]) >> pool",
    "await pool.run(loop())",
    "await pool.broadcast(loop())",
    "for _ in pool.stream(sky.gather(*[nap(0.02) for _ in range(500)])): pass",
    "(nap(0.4) > pool).result()",
    "await (loop() > pool)",
    "%%sky\nimport time\nwhile True: time.sleep(0.01)",
    "%%time\n%%sky\nimport time\nwhile True: time.sleep(0.01)",
)

INTERRUPTS = 200


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": paths}
    with kernel_in(tmp_path, env) as made:
        made.ok(PREPARE)
        yield made


def _pause(seconds: float) -> None:
    """The moment of an interrupt is what is random here; nothing is waited for."""
    select.select([], [], [], seconds)


@pytest.mark.timeout(300)
def test_random_interrupts_lose_nothing(kernel: Kernel) -> None:
    kernel.ok("pool = sky.ComputePool(nodes=3, name='shaken').start()")
    kernel.ok("%%sky\nmark = 41")
    kernel.ok("me() @ pool")
    # Its results may come faster than the answer of the head, which `_broadcast` waits for.
    kernel.ok("while 'Dispatch._broadcast' in background(): await asyncio.sleep(0.02)")
    before = kernel.ok("print(background())").stdout
    pids = kernel.ok("print([view.pid for view in pool.nodes])").stdout
    chance = random.Random(11)
    unanswered = 0
    for number in range(INTERRUPTS):
        cell = CELLS[number % len(CELLS)]
        shown = kernel.start(cell)
        kernel.until_busy()
        _pause(chance.uniform(0.0, 0.3) ** 2 * 4)
        kernel.interrupt()
        ename = kernel.finish(shown).ename
        assert ename in ("KeyboardInterrupt", "CancelledError", ""), f"{cell}: {shown.traceback}"
        if kernel.run("print(me() @ pool)").stdout != "[0, 1, 2]\n":
            # The interrupt may have come while the cell before it had not begun, and hit this one.
            unanswered += kernel.run("print(me() @ pool)").stdout != "[0, 1, 2]\n"
    assert unanswered == 0
    kernel.ok("while any(view.running for view in pool.nodes): await asyncio.sleep(0.02)")
    assert kernel.ok("%sky mark").text == "[0-2] 41"
    kernel.ok("while 'Dispatch._broadcast' in background(): await asyncio.sleep(0.02)")
    assert kernel.ok("print(background())").stdout == before
    assert kernel.ok("print([view.pid for view in pool.nodes])").stdout == pids
    print(f"{INTERRUPTS} interrupts: 0 background tasks, 0 nodes, 0 sessions lost, 0 calls unanswered")


def test_two_pools_at_once_do_not_mix(kernel: Kernel) -> None:
    kernel.ok("a = sky.ComputePool(nodes=2, name='one').start()\nb = sky.ComputePool(nodes=3, name='two').start()")
    kernel.ok("%%sky --pool one\nwhere = 'one'")
    kernel.ok("%%sky --pool two\nwhere = 'two'")
    assert kernel.ok("%%sky --pool one\nwhere").text == "[0-1] 'one'"
    assert kernel.ok("%%sky --pool two\nwhere").text == "[0-2] 'two'"
    kernel.ok("os.kill(a.nodes[0].pid, signal.SIGKILL)")
    assert kernel.ok("print(me() @ b)").stdout == "[0, 1, 2]\n"
    kernel.ok("a.stop()")
    assert kernel.ok("print(me() >> sky in (0, 1, 2))").stdout == "True\n"


def test_kill_9_of_the_kernel_leaves_nothing_after_the_ttl(kernel: Kernel, world: World) -> None:
    name = f"orphan-{os.getpid()}"
    kernel.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=1.0).start()")
    kernel.ok("%%sky\nimport time\nx = 1")
    pid = int(kernel.ok("print(os.getpid())").stdout)
    kernel.start("%%sky\nwhile True: time.sleep(0.1)")
    world.until(lambda: len(world.processes(name)) >= 6, "agents, slots and sessions run")
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: world.gone(name), "nothing is left after kill -9 and the ttl", within=30)


def test_after_a_restart_run_all_works_again_and_replaces_the_pool(kernel: Kernel, world: World) -> None:
    name = f"again-{os.getpid()}"
    for _ in range(3):
        kernel.ok(f"%load_ext skyward\nimport skyward as sky\npool = sky.ComputePool(nodes=2, name={name!r}).start()")
        assert kernel.ok("%%sky\n6 * 7").text == "[0-1] 42"
        world.until(lambda: len(world.processes(name)) == 6, "only the new pool's agents, slots and sessions are there")
        assert len(world.files(name)) == len(world.records(name)) == 1
        kernel.restart()
    kernel.ok(f"%load_ext skyward\n%sky attach {name}\n%sky stop")
    world.until(lambda: world.gone(name) and not world.records(name), "nothing is left")


def test_a_kernel_blocked_by_user_code_keeps_its_pool(kernel: Kernel) -> None:
    kernel.ok("pool = sky.ComputePool(nodes=2, name='patient', ttl=0.5).start()")
    kernel.ok("end = time.time() + 6\nwhile time.time() < end: sum(range(100_000))")
    assert kernel.ok("print(me() @ pool)").stdout == "[0, 1]\n"
