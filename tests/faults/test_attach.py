"""A kernel ends, and another one goes on with its pool."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.faults.test_lifetimes import heard
from tests.notebooks.kernel import Kernel, kernel_in

pytestmark = [pytest.mark.kernel, pytest.mark.fault]

PREPARE = """
import os, time
import skyward as sky

@sky.compute
def count(upto, pause=0.05):
    for number in range(upto):
        print("number", number)
        time.sleep(pause)
    return list(range(upto))

@sky.compute
def each(upto, pause=0.05):
    for number in range(upto):
        time.sleep(pause)
        yield number

@sky.compute
def me():
    return sky.instance_info().node
"""
COUNT = 60

type Another = Callable[[], Kernel]


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Another]:
    """Starts one kernel after the other."""
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    with ExitStack() as stack:

        def make() -> Kernel:
            folder = tmp_path / f"kernel{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            env = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": paths}
            made = stack.enter_context(kernel_in(folder, env))
            made.ok(PREPARE)
            return made

        yield make


def _pid(kernel: Kernel) -> int:
    return int(kernel.ok("print(os.getpid())").stdout)


def _template(kernel: Kernel) -> int:
    return int(kernel.ok("from skyward_jupyter.fleets.launcher import launcher\nprint(launcher().pid)").stdout)


def _kill(pid: int, world: World) -> None:
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: not _runs(pid), "the process has ended")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _nothing_is_left(world: World, name: str, template: int) -> None:
    def nothing() -> bool:
        return world.gone(name) and not world.records(name) and not _runs(template)

    world.until(nothing, "no process, not even the template, no file and no record is left")


def _numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"number (\d+)", text)]


def test_kill_9_during_a_run_loses_nothing(another: Another, world: World) -> None:
    name = f"kill9-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=3, name={name!r}, ttl=30).start()")
    first.ok("%%sky\nimport skyward\nmark = skyward.instance_info().node * 10")
    template, pid = _template(first), _pid(first)
    second = another()  # ready before the other ends, so that the run still goes on when it looks
    counting = first.start(f"count({COUNT}) >> pool")
    first.until(counting, "number 5\n")
    _kill(pid, world)
    assert re.search(rf"{name} .* nobody, ends in \d+ s", second.ok("%sky pools --all").stdout)
    attached = second.ok(f"%sky attach {name}").stdout
    assert attached.startswith(f"pool {name}: 3 nodes, attached\n")
    assert re.search(r"runs\[\d\]  count +node \d +running", attached)
    second.ok("pool = sky.pool()\nrun, = [run for run in pool.runs if run.what == 'count']\nresult = run.result()")
    assert second.ok(f"print(result == list(range({COUNT})), run.state)").stdout == "True done\n"
    before, after = _numbers(counting.stdout), _numbers(second.ok("print(run.output)").stdout)
    assert before == list(range(len(before)))
    assert after == list(range(after[0], COUNT)), "in order, once, to the end"
    assert after[0] <= len(before), "no number is missing from both"
    assert second.ok("%sky mark").text == "[0] 0\n[1] 10\n[2] 20"
    assert second.ok("print(me() @ pool, [view.rank for view in pool.nodes])").stdout == "[0, 1, 2] [0, 1, 2]\n"
    second.ok("%sky stop")
    _nothing_is_left(world, name, template)


def test_what_was_counted_stays_counted(another: Another, world: World) -> None:
    """Fault: kill -9 of the kernel, right after tasks ended, and while others run that end without one."""
    name = f"counted-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    first.ok("sky.gather(*[count(1, 0) for _ in range(20)]) >> pool\ncount(1, 0) @ pool")
    first.ok("@sky.compute\ndef fails():\n    raise ValueError\n\n(fails() > pool).exception()")
    first.ok("pool.scale(1); pool.scale(2)")
    pid = _pid(first)
    second = another()
    first.ok("late = [count(1, 1.0) > pool for _ in range(2)]\n[count(1, 0) >> pool for _ in range(3)]")
    _kill(pid, world)
    second.ok(f"pool = sky.attach({name!r})")
    second.ok("for run in pool.runs: run.result()")
    second.ok("count(1, 0) >> pool")
    assert second.ok("print(pool._inner.panel.snapshot()['ended'])").stdout == "(28, 1, 0)\n"
    assert "28 tasks done, 1 failed" in second.ok("%sky status").stdout
    second.ok("%sky stop")


def test_what_ended_meanwhile_and_what_a_generator_yields_is_there(another: Another, world: World) -> None:
    name = f"meanwhile-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=3, name={name!r}, ttl=30).start()")
    template, pid = _template(first), _pid(first)
    first.ok("short = count(20) > pool")
    reading = first.start(f"for item in pool.stream(each({COUNT})): print('read', item)")
    first.until(reading, "read 10\n")
    _kill(pid, world)
    second = another()
    second.ok(f"pool = sky.attach({name!r})\nruns = {{run.what: run for run in pool.runs}}")
    assert second.ok("print(sorted(runs))").stdout == "['count', 'each']\n"
    assert second.ok("print(runs['count'].result() == list(range(20)))").stdout == "True\n"
    rest = [int(word) for word in second.ok("print(*(await runs['each']))").stdout.split()]
    read = [int(word) for word in re.findall(r"read (\d+)", reading.stdout)]
    assert rest == list(range(rest[0], COUNT)), "in order, once, to the end"
    assert rest[0] <= read[-1] + 1 + 16, "at most what may be on its way is not in either"
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)


def test_an_elastic_pool_stays_elastic_and_what_it_was_told_holds(another: Another, world: World) -> None:
    name = f"elastic-{os.getpid()}"
    first = another()
    nodes = "sky.Nodes(3, 1, 4, idle_after=1.0)"
    first.ok(f"pool = sky.ComputePool({nodes}, name={name!r}, ttl=30, retries=0, max_retries=1, panel='lines').start()")
    first.ok("%%sky --on 1\nmark = 1")
    template, pid = _template(first), _pid(first)
    working = first.start("sky.gather(*(count(40, 0.05) for _ in range(3))) >> pool")
    first.until(working, "number 3\n")
    _kill(pid, world)
    second = another()
    assert re.match(rf"pool {name}: \d nodes of 1 to 4, attached", second.ok(f"%sky attach {name}").stdout)
    second.ok("pool = sky.pool()")
    assert second.ok("print(pool.bounds, pool._inner.life.settings.terms)").stdout == (
        "(1, 4) Terms(first=3, smallest=1, largest=4, idle_after=1.0, retries=0, max_retries=1, patience=60.0, "
        "panel='lines', preload=True)\n"
    )
    second.ok("import asyncio\nasync def until(condition):\n    while not condition(): await asyncio.sleep(0.05)")
    second.ok("await asyncio.wait_for(until(lambda: pool.size == 2), 30)")
    second.ok("await asyncio.sleep(2)")  # twice as long as a node may be idle
    assert second.ok("%%sky --on 1\nmark").text == "1", "the node with a session stays"
    second.ok("work = sky.gather(*(count(10, 0.2) for _ in range(24))) > pool")
    second.ok("await asyncio.wait_for(until(lambda: pool.size == 4), 30)\nwork.cancel()")
    second.ok("await asyncio.wait_for(until(lambda: not any(view.running for view in pool.nodes)), 30)")
    second.ok("lost = count(100) > pool\nawait until(lambda: any(view.running for view in pool.nodes))")
    second.ok("os.kill(next(view.pid for view in pool.nodes if view.running), 9)")
    assert second.run("await lost").ename == "NodeLost", "calls are not repeated, as the pool was told"
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)


def test_calls_that_waited_in_a_kernel_that_was_killed_are_told_one_by_one(another: Another, world: World) -> None:
    """Of a gather of 500 on 2 nodes, kill -9 in the middle: every call is accounted for, and nothing hangs."""
    name = f"queued-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()\nran = os.path.abspath('ran')")
    first.ok("""
@sky.compute
def work(number):
    with open(ran, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.2)
    return number * 2
    """)
    first.ok("many = sky.gather(*(work(number) for number in range(500))) > pool")
    first.ok("single = [work(number) > pool for number in range(1000, 1010)]")
    template, pid = _template(first), _pid(first)
    record = world.records(name)[0]
    world.until(lambda: '"label": "work"' in record.read_text(), "what waits is recorded")
    ran = first.folder / "ran"
    world.until(lambda: len(ran.read_text().split()) > 20, "some have run")
    _kill(pid, world)

    second = another()
    told = second.ok(f"%sky attach {name}").stdout
    second.ok("pool = sky.pool()\nrun, singles = pool.runs\nat_first = run.counts\nunsent = run.unsent")
    (lacking,) = re.findall(r"runs\[0\]: (\d+) calls never left their kernel and have not run", told)
    assert re.search(r"runs\[0\]  work  nodes 0-1  .*\d+ with the kernel before, \d+ never sent of 500\n", told), told
    assert re.search(r"runs\[1\]  work  -  +incomplete .*10 never sent\n", told), told
    gone = second.run("await run")
    assert gone.ename == "ResultGone"
    assert f"{lacking} of the 500 calls of 'work' waited in the kernel that started them and never ran" in gone.evalue
    second.ok("try: await run\nexcept sky.ResultGone as error: rest = error")
    assert second.ok("print(rest.unsent == run.unsent == unsent, run.state)").stdout == "True incomplete\n"
    assert second.ok("print(all(v == 2 * k for k, v in run.results.items()), rest.results == run.results)").stdout == (
        "True True\n"
    )
    begun = {int(line) for line in ran.read_text().split()}
    counts = second.ok("print(run.counts.done, run.counts.running, run.counts.gone, run.counts.unsent)").stdout
    done, running, had, unsent = map(int, counts.split())
    assert (done + had + unsent, running) == (500, 0)
    assert unsent == int(lacking) == 500 - len(begun), "what is said never to have run has not, and the rest has"
    assert 1 <= done <= 6, "what the nodes had to do"
    assert second.ok("print(sorted(set(range(500)) - set(unsent)))").stdout == f"{sorted(begun)}\n"
    assert second.run("singles.result()").ename == "ResultGone"
    assert second.ok("print(len(singles.unsent), singles.state)").stdout == "10 incomplete\n"
    print(f"kill -9 in a gather of 500: {had} had, {done} ended on the nodes and kept, {unsent} never sent and named")
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)


def test_cells_and_the_names_they_bound(another: Another, world: World, tmp_path: Path) -> None:
    name = f"cells-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    first.ok("given = 5\nbig = list(range(300))")
    first.ok("%%sky\nimport os, time\nown = [given, len(big)]\ndef plus(x): return x + given")
    template, pid = _template(first), _pid(first)
    mark = f"{tmp_path}/begun-"
    # What a kernel has shown before it ends is in its notebook, and not told again.
    wait = f"while not os.path.exists({str(tmp_path / 'gone')!r}): time.sleep(0.01)"
    loop = "for i in range(20): print('number', i); time.sleep(0.05)"
    first.ok(f"%%sky --bg\nopen(f'{mark}{{os.getpid()}}', 'w').close()\n{wait}\n{loop}\nlate = 7\nlate + given")
    world.until(lambda: len(list(tmp_path.glob("begun-*"))) == 2, "both nodes have it")
    _kill(pid, world)
    (tmp_path / "gone").touch()
    second = another()
    second.ok(f"own = 'of the notebook'\ngiven = 100\n%sky attach {name}")
    assert second.ok("%%sky\nlate").text == "[0-1] 7"
    assert (
        second.ok(
            "run, = [run for run in sky.pool().runs if run.what[:4] == 'open']\nprint(run.what[:4], await run)"
        ).stdout
        == "open [12, 12]\n"
    )
    assert _numbers(second.ok("print(run.output_of(1))").stdout) == list(range(20))
    shown = second.ok("%%sky\nown")
    assert shown.text == "[0-1] [5, 300]", "what a cell bound on the nodes is not written over"
    assert "own: nodes 0-1 have their own value" in shown.stderr
    assert second.ok("%%sky\nplus(1)").text == "[0-1] 101", "what the notebook sent goes with the notebook's value"
    second.ok("%sky stop")
    _nothing_is_left(world, name, template)


def test_a_restart_keeps_the_pool_and_a_shutdown_ends_it(another: Another, world: World) -> None:
    name = f"restart-{os.getpid()}"
    kernel = another()
    kernel.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    kernel.ok("%%sky\nkept = 'kept'")
    http = kernel.ok("print(pool.endpoints, pool.token)").stdout
    template = _template(kernel)
    kernel.restart()
    told = kernel.ok("%load_ext skyward").text
    assert f"pool {name} (2 nodes) of this kernel before its restart is still there: %sky attach {name}" in told
    assert kernel.ok("%sky attach").stdout.startswith(f"pool {name}: 2 nodes, attached\n")
    assert kernel.ok("%sky kept").text == "[0-1] 'kept'"
    assert kernel.ok("import skyward\npool = skyward.pool()\nprint(pool.endpoints, pool.token)").stdout == http
    kernel.stop()
    _nothing_is_left(world, name, template)


def test_a_pool_that_nobody_took_is_told_of_once(another: Another, world: World) -> None:
    name = f"over-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=0.5).start()")
    template, pid = _template(first), _pid(first)
    _kill(pid, world)
    world.until(lambda: world.gone(name), "the nodes have ended by themselves")
    assert world.records(name)
    kernel = another()
    wrong = kernel.run(f"%sky attach {name}")
    assert wrong.ename == "NoPool"
    kernel.restart()
    assert name not in kernel.ok("%load_ext skyward\n%sky pools --all").stdout
    _nothing_is_left(world, name, template)


def test_loading_tells_of_a_pool_that_is_over(another: Another, world: World) -> None:
    name = f"told-{os.getpid()}"
    kernel = another()
    kernel.ok(f"pool = sky.ComputePool(nodes=1, name={name!r}, ttl=0.1).start()")
    kernel.restart()
    world.until(lambda: world.gone(name), "the node has ended by itself")
    told = kernel.ok("%load_ext skyward").text
    assert re.search(rf"pool {name} of this kernel before its restart is over, its kernel ended \d+ s ago", told)
    assert not world.records(name)
    assert name not in kernel.ok("%unload_ext skyward\n%load_ext skyward").text


def test_a_living_kernel_keeps_its_pool_unless_it_is_forced(another: Another, world: World) -> None:
    name = f"force-{os.getpid()}"
    first, second = another(), another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    first.ok("%%sky\nx = 1")
    template, pid = _template(first), _pid(first)
    first.ok("waiting = count(600) > pool")
    refused = second.run(f"%sky attach {name}")
    assert refused.ename == "PoolHeld"
    assert f"pool {name} is driven by kernel {pid} in {first.folder.name}, which is alive" in refused.evalue
    assert second.ok(f"%sky attach {name} --force").stdout.startswith(f"pool {name}: 2 nodes, attached")
    by = _pid(second)
    for cell in ("me() @ pool", "me() >> pool", "%%sky\n1", "%sky x", "waiting.result()"):
        lost = first.run(cell)
        assert lost.ename == "PoolHeld", cell
        assert f"was taken over by kernel {by}" in lost.evalue
    assert first.run("%sky scale 3").ename == "PoolHeld"
    assert first.ok(f"%sky attach {name} --force").stdout.startswith(f"pool {name}: 2 nodes, attached")
    assert first.ok("%sky x").text == "[0-1] 1"
    assert second.run("me() @ sky").ename == "PoolHeld"
    assert second.ok(f"%sky attach {name} --force").stdout.startswith(f"pool {name}: 2 nodes, attached")
    (own,) = [line for line in first.ok("%sky pools").stdout.splitlines() if name in line]
    assert own.endswith("another one, which took it over"), own
    (listed,) = [line for line in first.ok("%sky pools --all").stdout.splitlines() if name in line]
    assert listed.endswith(f"kernel {by} in {second.folder.name} (alive)"), listed
    assert first.ok("%sky stop").stdout == f"pool {name} runs on where it was taken over, and is gone from here\n"
    first.ok("pool = sky.ComputePool(nodes=1, name='another').start()")
    assert first.ok("print(me() @ pool)").stdout == "[0]\n"
    first.stop()
    assert second.ok("%sky x").text == "[0-1] 1"
    second.ok("pool = sky.pool()\nrun, = [run for run in pool.runs if run.state == 'running']\nrun.cancel()")
    assert second.run("await run").ename == "TaskInterrupted"
    assert second.ok("print(me() @ pool)").stdout == "[0, 1]\n"
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)


RACE = """
import sys, time
import skyward as sky
from skyward_jupyter.runtime.bridge import runtime

runtime()
print("ready", flush=True)
sys.stdin.readline()
try:
    pool = sky.attach({name!r})
    print("won", flush=True)
except sky.SkywardError as error:
    print(type(error).__name__, error, flush=True)
sys.stdin.readline()
"""


def test_of_two_that_attach_at_once_one_wins(another: Another, world: World) -> None:
    name = f"race-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    template, pid = _template(first), _pid(first)
    _kill(pid, world)
    racers = [world.script(RACE.format(name=name)) for _ in range(4)]
    assert [heard(racer) for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        _say(racer)
    said = sorted(heard(racer) for racer in racers)
    assert said[-1] == "won\n"
    assert all(re.match(rf"PoolHeld pool {name} is driven by process \d+, which is alive", line) for line in said[:-1])
    for racer in racers:
        _say(racer)
        assert racer.wait(20) == 0
    _nothing_is_left(world, name, template)


def _say(script: subprocess.Popen[str]) -> None:
    assert script.stdin is not None
    script.stdin.write("go on\n")
    script.stdin.flush()


REPLACED = """
import asyncio

def pids():
    return [view.pid for view in pool.nodes]

before = pids()

async def replaced(ranks):
    while any(pool.nodes[rank].pid == before[rank] or pool.nodes[rank].phase != "ready" for rank in ranks):
        await asyncio.sleep(0.02)
    await pool.start_async()
"""


def test_a_node_that_ends_after_the_takeover_is_replaced(another: Another, world: World) -> None:
    """The template of the kernel that ended starts nodes for the one that attached; when it goes, its own does."""
    name = f"mend-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30, env={{'MARK': 'm'}}).start()")
    template, pid = _template(first), _pid(first)
    _kill(pid, world)
    second = another()
    second.ok(f"pool = sky.attach({name!r})\n@sky.compute\ndef mark(): return os.environ['MARK']")
    second.ok(REPLACED)
    assert second.ok("os.kill(pids()[1], 9)\nawait replaced([1])\nprint(mark() @ pool)").stdout == f"{['m', 'm']}\n"
    second.ok(f"before = pids()\nos.kill({template}, 9)")
    assert second.ok("await replaced([0, 1])\nprint(mark() @ pool)").stdout == f"{['m', 'm']}\n"
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)


def test_two_pools_of_one_kernel_go_to_two(another: Another, world: World) -> None:
    names = [f"{part}-{os.getpid()}" for part in ("left", "right", "none")]
    first = another()
    first.ok(f"pools = [sky.ComputePool(nodes=1, name=name, ttl=20).start() for name in {names!r}]")
    template, pid = _template(first), _pid(first)
    _kill(pid, world)
    second, third = another(), another()
    for kernel, name in ((second, names[0]), (third, names[1])):
        kernel.ok(f"pool = sky.attach({name!r})")
        assert kernel.ok("print(me() @ pool)").stdout == "[0]\n"
    world.until(lambda: world.gone(names[2]), "the one that nobody took ends by itself", within=60)
    second.ok("pool.stop()")
    world.until(lambda: world.gone(names[0]), "one is stopped")
    assert third.ok("print(me() @ pool)").stdout == "[0]\n"
    third.ok("pool.stop()")
    _nothing_is_left(world, names[1], template)


def test_an_attach_that_is_cut_short_can_be_repeated(another: Another, world: World) -> None:
    name = f"cut-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    first.ok("%%sky\nx = 1")
    template, pid = _template(first), _pid(first)
    _kill(pid, world)
    second = another()
    second.ok("import asyncio")
    for pause in (0.0, 0.002, 0.005, 0.01, 0.02):
        second.run(f"await asyncio.wait_for(sky.attach_async({name!r}), {pause})")
        assert name in second.ok("%sky pools --all").stdout
    second.ok(f"%sky attach {name}")
    assert second.ok("%sky x").text == "[0-1] 1"
    second.ok("%sky stop")
    _nothing_is_left(world, name, template)


def test_pools_of_one_name(another: Another, world: World) -> None:
    """Two kernels may use one name; a third tells their pools apart by their keys."""
    name = f"twin-{os.getpid()}"
    kernels = [another(), another()]
    templates = [_template(kernel) for kernel in kernels]
    for mark, kernel in enumerate(kernels):
        kernel.ok(f"pool = sky.ComputePool(nodes=1, name={name!r}, ttl=30).start()")
        kernel.ok(f"%%sky\nmark = {mark}")
    for kernel in kernels:
        _kill(_pid(kernel), world)
    third = another()
    several = third.run(f"%sky attach {name}")
    assert several.ename == "NoPool"
    keys = re.findall(rf"{name}~\w+", several.evalue)
    assert len(keys) == 2
    marks = set()
    for key in keys:
        third.ok(f"%sky attach {key}")
        marks.add(third.ok("%sky mark").text)
        if key == keys[0]:
            assert third.run(f"%sky attach {keys[1]}").ename == "UsageError"
        third.ok("%sky stop")
    assert marks == {"0", "1"}
    for template in templates:
        _nothing_is_left(world, name, template)


def test_there_is_nothing_to_attach_to() -> None:
    with pytest.raises(sky.NoPool, match="there is no pool 'nowhere' to attach to"):
        sky.attach("nowhere")


def test_results_that_the_first_kernel_had_are_said_to_be_gone(another: Another, world: World) -> None:
    name = f"gone-{os.getpid()}"
    first = another()
    first.ok(f"pool = sky.ComputePool(nodes=2, name={name!r}, ttl=30).start()")
    template, pid = _template(first), _pid(first)
    first.ok("work = sky.gather(count(1), count(100)) > pool")
    first.ok("while not any(view.done for view in pool.nodes): await __import__('asyncio').sleep(0.01)")
    # Another call makes the kernel acknowledge what it had.
    first.ok("%%sky\n1")
    _kill(pid, world)
    second = another()
    second.ok(f"pool = sky.attach({name!r})\nrun, = [run for run in pool.runs if run.what == 'count']")
    shown = second.run("run.result()")
    assert shown.ename == "ResultGone"
    assert "1 of the 2 results of 'count' went to the kernel that started it" in shown.evalue
    second.ok("try: await run\nexcept sky.ResultGone as error: rest = error.results")
    assert second.ok("print(rest == {1: list(range(100))})").stdout == "True\n"
    second.ok("pool.stop()")
    _nothing_is_left(world, name, template)
