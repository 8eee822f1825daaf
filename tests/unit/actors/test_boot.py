"""What a node's start says."""

from __future__ import annotations

import re

import pytest

from skyward_jupyter.actors import boot as module
from skyward_jupyter.actors.boot import KEPT, Boot


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    return now


def test_a_step_has_its_time_and_its_duration_once_the_next_began(clock: list[float]) -> None:
    boot = Boot().step("connecting")
    clock[0] += 2.5
    boot = boot.step("installing packages").line("Downloaded numpy")
    clock[0] += 4
    assert boot.since == 1_000_002.5
    assert boot.said == "Downloaded numpy"
    first, second, line = boot.lines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  connecting  2\.5 s", first)
    assert second.endswith("  installing packages")
    assert line.endswith("    Downloaded numpy")


def test_what_a_step_wrote_goes_with_it(clock: list[float]) -> None:
    boot = Boot().step("connecting").line("not yet: connection refused")
    assert boot.step("joining").said == ""


def test_of_too_much_the_lines_go_first(clock: list[float]) -> None:
    boot = Boot().step("connecting").step("installing packages")
    for number in range(3 * KEPT):
        boot = boot.line(f"line {number}")
    boot = boot.step("joining")
    assert len(boot.entries) == KEPT
    assert [entry.text for entry in boot.entries if entry.step] == ["connecting", "installing packages", "joining"]
    assert boot.entries[-2].text == f"line {3 * KEPT - 1}"
    for number in range(2 * KEPT):
        boot = boot.step(f"step {number}")
    assert len(boot.entries) == KEPT
    assert boot.entries[-1].text == f"step {2 * KEPT - 1}"
