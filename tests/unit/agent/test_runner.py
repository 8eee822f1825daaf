"""User code in a thread that can be interrupted."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from skyward_jupyter.agent.runner import Runner


@pytest.fixture(scope="module")
def shared() -> Iterator[Runner]:
    made = Runner("unit-runner", lambda: None)
    yield made
    made.stop()


@pytest.fixture
def runner(shared: Runner) -> Runner:
    return shared


class Spin:
    """Runs until it is interrupted."""

    def __init__(self) -> None:
        self.up = threading.Event()

    def __call__(self) -> None:
        self.up.set()
        while True:
            pass


def test_values_and_errors(runner: Runner) -> None:
    runner.begin(1)
    assert runner.call(lambda: 5) == 5
    with pytest.raises(LookupError, match="x"):
        runner.call(lambda: exec("raise LookupError('x')"))
    runner.end()


def test_always_the_same_other_thread(runner: Runner) -> None:
    found = {runner.call(threading.current_thread) for _ in range(5)}
    assert len(found) == 1
    assert threading.current_thread() not in found


def test_it_is_prepared_in_its_thread() -> None:
    local = threading.local()
    made = Runner("unit-prepared", lambda: setattr(local, "value", 3))
    assert made.call(lambda: local.value) == 3
    assert not hasattr(local, "value")
    made.stop()


def test_an_interrupt_ends_the_call(runner: Runner) -> None:
    runner.begin(2)
    spin = Spin()
    thread = threading.Thread(target=lambda: (spin.up.wait(10), runner.interrupt(2)))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        runner.call(spin)
    thread.join()
    runner.end()
    assert runner.call(lambda: 1) == 1


def test_an_early_interrupt_ends_the_task_as_it_begins(runner: Runner) -> None:
    ran: list[int] = []
    runner.interrupt(3)
    runner.begin(3)
    with pytest.raises(KeyboardInterrupt):
        runner.call(lambda: ran.append(1))
    assert ran == []
    runner.end()


def test_one_between_two_calls_of_a_task_ends_the_second(runner: Runner) -> None:
    runner.begin(4)
    runner.call(lambda: None)
    runner.interrupt(4)
    with pytest.raises(KeyboardInterrupt):
        runner.call(lambda: None)
    runner.call(lambda: None)
    runner.end()


@pytest.mark.parametrize("meant_for", [4, 99])
def test_one_for_another_task_does_nothing(runner: Runner, meant_for: int) -> None:
    runner.begin(5)
    runner.interrupt(meant_for)
    assert runner.call(lambda: 2) == 2
    runner.end()


def test_at_any_moment(runner: Runner) -> None:
    """No call is lost, answered twice, or interrupted in place of another."""
    rng = random.Random(1)
    tasks = range(100, 100_000)
    outcomes: dict[str, int] = {"done": 0, "interrupted": 0}
    current = [tasks[0]]
    over = threading.Event()

    def interrupt() -> None:
        while not over.is_set():
            time.sleep(rng.random() / 3000)
            runner.interrupt(current[0])

    thread = threading.Thread(target=interrupt)
    thread.start()
    for task in tasks:
        current[0] = task
        runner.begin(task)
        try:
            assert runner.call(lambda task=task: sum(range(300)) and task) == task  # type: ignore[misc]
            outcomes["done"] += 1
        except KeyboardInterrupt:
            outcomes["interrupted"] += 1
        runner.end()
        if min(outcomes.values()) >= 200:
            break
    over.set()
    thread.join()
    assert runner.call(lambda: "alive") == "alive"


def test_what_ignores_interrupts_goes_on(runner: Runner) -> None:
    runner.begin(6)
    found: list[Any] = []

    def stubborn() -> str:
        try:
            Spin()()
        except KeyboardInterrupt:
            found.append("caught")
        return "went on"

    thread = threading.Timer(0.05, runner.interrupt, (6,))
    thread.start()
    assert runner.call(stubborn) == "went on"
    thread.join()
    assert found == ["caught"]
    runner.end()
