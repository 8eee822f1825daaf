"""Calls and what becomes of them: values, errors, timeouts."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.errors import RemoteError
from tests.integration.conftest import Until

LOCKS = (threading.Lock(),)  # an attribute of a module would go by its name


@sky.compute
def add(a: int, b: int = 1) -> int:
    return a + b


@sky.compute
def node() -> int:
    return sky.instance_info().node


@sky.compute
def raises(make: Callable[[], BaseException]) -> None:
    raise make()


@sky.compute
def fails_on(*nodes: int) -> int:
    rank = sky.instance_info().node
    if rank in nodes:
        raise LookupError(f"on {rank}")
    return rank


@sky.compute
def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


@sky.compute
def sleep_long(mark: str = "") -> None:
    if mark:
        Path(mark).touch()
    time.sleep(60)


def test_one_node(pool: sky.ComputePool) -> None:
    assert add(1) >> pool == 2
    assert add(1, b=5) >> pool == 6


def test_the_active_pool(pool: sky.ComputePool) -> None:
    with sky.ComputePool(nodes=1, name="active") as latest:
        assert sky.pool() is latest
        assert add(1) >> sky == 2
        assert node() @ sky == [0]
    assert latest.state == "stopped"
    assert sky.pool() is not latest


def test_every_node_in_order(pool: sky.ComputePool) -> None:
    assert node() @ pool == [0, 1, 2]


def test_calls_go_round(pool: sky.ComputePool) -> None:
    assert sorted(node() >> pool for _ in range(3)) == [0, 1, 2]


def test_different_calls_side_by_side(pool: sky.ComputePool) -> None:
    assert (add(1) & node() & add(5)) >> pool in {(2, rank, 6) for rank in range(3)}


def test_many_calls(pool: sky.ComputePool) -> None:
    assert sky.gather(*(add(n) for n in range(500))) >> pool == list(range(1, 501))
    assert sky.gather() >> pool == []


def test_calls_really_run_side_by_side(pool: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def meet(mine: int) -> int:
        (tmp_path / str(mine)).touch()
        while len(os.listdir(tmp_path)) < 3:
            time.sleep(0.002)
        return mine

    assert sky.gather(*map(meet, range(3))).with_timeout(30) >> pool == [0, 1, 2]


def test_short_calls_do_not_wait_behind_a_long_one(pool: sky.ComputePool, tmp_path: Path) -> None:
    sky.gather(*(add(n) for n in range(200))) >> pool
    path = tmp_path / "go"
    stream = sky.gather(wait_for(str(path)), *(add(n) for n in range(150)), stream=True, ordered=False) >> pool
    assert sorted(next(stream) for _ in range(150)) == list(range(1, 151))
    path.touch()
    assert list(stream) == [str(path)]


def test_map(pool: sky.ComputePool) -> None:
    assert pool.map(add, range(5), [10] * 5) == [10, 11, 12, 13, 14]
    assert pool.map(lambda x: x * 2, "abc") == ["aa", "bb", "cc"]
    assert pool.map(add, []) == []


def test_methods_and_closures(pool: sky.ComputePool) -> None:
    class Model:
        def __init__(self, weight: int) -> None:
            self.weight = weight

        @sky.compute
        def scaled(self, x: int) -> int:
            return self.weight * x

    factor = 4
    assert Model(3).scaled(5) >> pool == 15
    assert sky.compute(lambda x: x * factor)(2) @ pool == [8, 8, 8]


def test_a_global_bound_anew_is_what_the_next_call_sees(pool: sky.ComputePool) -> None:
    scope: dict[str, Any] = {"K": 1, "items": [1]}
    exec("def f(): return K, len(items)", scope)
    call = sky.compute(scope["f"])
    assert call() >> pool == (1, 1)
    scope["K"] = 2
    assert call() >> pool == (2, 1)
    scope["items"].append(5)
    assert call() @ pool == [(2, 2)] * 3


def test_where_the_code_runs(pool: sky.ComputePool) -> None:
    @sky.compute
    def look() -> Any:
        return sky.instance_info(), os.getpid(), os.environ["SHARED"], os.getcwd()

    found = look() @ pool
    infos = [info for info, *_ in found]
    assert [info.node for info in infos] == [0, 1, 2]
    assert {(info.total_nodes, info.job_id, len(info.peers)) for info in infos} == {(3, "shared", 2)}
    assert [info.is_head for info in infos] == [True, False, False]
    assert len({info.head_addr for info in infos}) == 1
    assert len({pid for _, pid, *_ in found} | {os.getpid()}) == 4
    assert {(variable, directory) for _, _, variable, directory in found} == {("yes", os.getcwd())}


def test_every_node_takes_its_share(pool: sky.ComputePool) -> None:
    shares = sky.compute(lambda: sky.shard(list(range(8))))() @ pool
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_users_module_travels_as_it_is_now(
    pool: sky.ComputePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "my_lab.py"
    file.write_text("def inner(): return 'old'\ndef outer(): return inner()\n")
    module = importlib.import_module("my_lab")
    assert sky.compute(module.outer)() @ pool == ["old"] * 3
    file.write_text("def inner(): return 'new and longer'\ndef outer(): return inner()\n")
    importlib.reload(module)
    assert sky.compute(module.outer)() @ pool == ["new and longer"] * 3
    del sys.modules["my_lab"]


# -- errors ----------------------------------------------------------------------------------------------------------


class Custom(Exception):
    def __init__(self, code: int, *, hint: str) -> None:
        self.code, self.hint = code, hint
        super().__init__(f"{code}: {hint}")


@dataclass(frozen=True)
class Frozen(Exception):
    code: int


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValueError("x"),
        lambda: KeyError("k"),
        lambda: TimeoutError("mine"),
        lambda: Custom(3, hint="h"),
        lambda: Frozen(4),
    ],
    ids=lambda make: type(make()).__name__,
)
def test_an_error_is_raised_here_as_its_own_type(pool: sky.ComputePool, make: Callable[[], Exception]) -> None:
    with pytest.raises(type(make())) as caught:
        raises(make) >> pool
    assert str(caught.value) == str(make())
    assert caught.value.__notes__[-1].startswith("raised by raises(")
    assert "raise make()" in caught.value.remote_traceback  # type: ignore[attr-defined]


def test_its_traceback_leads_to_the_remote_line(pool: sky.ComputePool) -> None:
    def inner() -> None:
        raise LookupError("deep")

    with pytest.raises(LookupError) as caught:
        sky.compute(lambda: inner())() >> pool
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].line == 'raise LookupError("deep")'
    assert frames[-1].name == "inner"
    assert not any("skyward_jupyter/actors" in frame.filename or "asyncio" in frame.filename for frame in frames)


def test_its_cause_comes_along(pool: sky.ComputePool) -> None:
    @sky.compute
    def chained() -> None:
        try:
            {}["missing"]
        except KeyError as error:
            raise RuntimeError("outer") from error

    with pytest.raises(RuntimeError) as caught:
        chained() >> pool
    assert isinstance(caught.value.__cause__, KeyError)


def test_one_node_that_fails_raises_its_error(pool: sky.ComputePool) -> None:
    with pytest.raises(LookupError, match="on 1") as caught:
        fails_on(1) @ pool
    where = "their results are in .gathered.results of this error (sys.last_exc), by place"
    said = f"2 of 3 calls succeeded, 1 failed (at 1); {where}"
    assert caught.value.__notes__ == ["raised by fails_on(1) on node 1", said]


def test_several_that_fail_raise_a_group(pool: sky.ComputePool) -> None:
    with pytest.raises(ExceptionGroup, match="raised on 2 of 3 nodes") as caught:
        fails_on(0, 2) @ pool
    assert [error.__notes__ for error in caught.value.exceptions] == [
        [f"raised by fails_on(0, 2) on node {node}"] for node in (0, 2)
    ]


def test_the_first_error_stops_the_others(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    @sky.compute
    def after(paths: list[str]) -> None:
        while not all(map(os.path.exists, paths)):
            time.sleep(0.002)
        raise LookupError("first")

    marks = [str(tmp_path / name) for name in "ab"]
    with pytest.raises(LookupError, match="first"):
        sky.gather(sleep_long(marks[0]), after(marks), sleep_long(marks[1]), *([add(1)] * 50)) >> pool
    assert add(1) @ pool == [2, 2, 2]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise SystemExit", "SystemExit"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise StopIteration(1)", "StopIteration"),
        ("raise StopAsyncIteration", "StopAsyncIteration"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise BaseException('base')", "BaseException"),
    ],
)
def test_what_would_end_more_than_the_call_ends_the_call(pool: sky.ComputePool, code: str, name: str) -> None:
    with pytest.raises(RemoteError) as caught:
        sky.compute(exec)(code) >> pool
    assert caught.value.type_name == name
    assert isinstance(caught.value, sky.TaskFailed)
    assert add(1) >> pool == 2


def test_a_keyboard_interrupt_of_its_own(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.TaskInterrupted):
        sky.compute(exec)("raise KeyboardInterrupt") >> pool


def test_endless_recursion(pool: sky.ComputePool) -> None:
    def down(n: int) -> int:
        return down(n + 1) + 1

    with pytest.raises(RecursionError, match="maximum recursion"):
        sky.compute(down)(0) >> pool
    with pytest.raises(RecursionError):
        sky.compute(exec)("def a(): b()\ndef b(): a()\na()", {}) >> pool
    assert add(1) >> pool == 2


# -- what cannot travel ----------------------------------------------------------------------------------------------


def test_an_argument(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.NotPicklable) as caught:
        add(1, {"a": [LOCKS[0]]}) >> pool  # type: ignore[arg-type]
    assert (caught.value.path, caught.value.kind) == ("b['a'][0]", "_thread.lock")
    for send in (lambda: add(LOCKS[0]) @ pool, lambda: (add(LOCKS[0]) > pool).result(20)):  # type: ignore[arg-type]
        with pytest.raises(sky.NotPicklable, match=r"^a "):
            send()


def test_a_global_of_the_function(pool: sky.ComputePool) -> None:
    lock = LOCKS[0]
    with pytest.raises(sky.NotPicklable, match=r"lock \(used by <lambda>\)"):
        sky.compute(lambda: lock)() >> pool


def test_one_bad_call_and_none_is_queued(pool: sky.ComputePool, tmp_path: Path) -> None:
    touch = sky.compute(lambda name: (tmp_path / name).touch())
    with pytest.raises(sky.NotPicklable):
        sky.gather(touch("a"), add(LOCKS[0]), touch("b")) >> pool  # type: ignore[arg-type]
    assert add(1) @ pool == [2, 2, 2]
    assert not list(tmp_path.iterdir())


def test_a_result(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.ResultNotPicklable, match="return plain data"):
        sky.compute(threading.Lock)() >> pool
    assert add(1) >> pool == 2


def test_an_error(pool: sky.ComputePool) -> None:
    @sky.compute
    def attached() -> None:
        error = ValueError("with a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(RemoteError, match="ValueError: with a lock") as caught:
        attached() >> pool
    assert caught.value.type_name == "ValueError"


def test_an_argument_that_breaks_on_arrival(pool: sky.ComputePool) -> None:
    class Poison:
        def __reduce__(self) -> Any:
            return eval, ("1 / 0",)

    with pytest.raises(sky.TaskFailed, match="could not load the call of repr: ZeroDivisionError"):
        sky.compute(repr)(Poison()) >> pool


# -- stopping --------------------------------------------------------------------------------------------------------


def test_a_timeout(pool: sky.ComputePool) -> None:
    for late in (sleep_long().with_timeout(0.05), sky.compute(timeout=0.05)(sleep_long.function)()):
        with pytest.raises(sky.TaskTimeout, match=r"longer than its 0\.05 s") as caught:
            late >> pool
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.node in range(3)


def test_a_timeout_on_every_node(pool: sky.ComputePool) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        sleep_long().with_timeout(0.05) @ pool
    assert [type(error) for error in caught.value.exceptions] == [sky.TaskTimeout] * 3


def test_time_spent_in_the_queue_does_not_count(pool: sky.ComputePool) -> None:
    naps = [sky.compute(time.sleep)(0.1).with_timeout(5) for _ in range(12)]
    assert sky.gather(*naps) >> pool == [None] * 12


def test_interrupting_the_pool(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    futures = [sleep_long(str(tmp_path / str(n))) > pool for n in range(3)]
    until(lambda: len(list(tmp_path.iterdir())) == 3, "three tasks run")
    pool.interrupt()
    for future in futures:
        with pytest.raises(sky.TaskInterrupted, match="was interrupted on node"):
            future.result(20)
    assert add(1) @ pool == [2, 2, 2]


def test_an_interrupt_while_blocked(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    import signal

    mark = tmp_path / "runs"

    def send() -> None:
        until(mark.exists, "the task runs")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sleep_long(str(mark)) >> pool
    thread.join()
    assert add(1) @ pool == [2, 2, 2]


@sky.compute
async def slept(value: int) -> int:
    await asyncio.sleep(0)
    return value + 1


@sky.compute
async def drips(count: int) -> AsyncIterator[int]:
    for value in range(count):
        await asyncio.sleep(0)
        yield value


@sky.compute
async def breaks_later() -> None:
    await asyncio.sleep(0)
    raise LookupError("later")


def test_an_async_function_gives_what_it_returns(pool: sky.ComputePool) -> None:
    assert slept(1) >> pool == 2
    assert slept(1) @ pool == [2, 2, 2]
    assert list(drips(5) >> pool) == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError, match="later"):
        breaks_later() >> pool
