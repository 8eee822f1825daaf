"""The dashboard's timeline on a bare page, against a mock model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, expect

from skyward_jupyter.actors.source import MOST, Ended
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.tasks import packed
from tests.browser.axe import grave_faults
from tests.browser.stage import Stage, mixed, snapshot

pytestmark = pytest.mark.browser

NOW = 1_800_000_000.0


def task(number: int, node: int, began: float, seconds: float = 1.0, error: str = "") -> TaskTimes:
    """A task that waited for half a second."""
    at = NOW + began
    return TaskTimes(number, "train", node, at - 0.5, at - 0.25, at, at + seconds, at + seconds + 0.01, error)


def steady(nodes: int, tasks: int, seconds: float = 1.0) -> list[TaskTimes]:
    """Tasks one after another on every node; one in forty fails."""
    return [
        task(at + 1, at % nodes, (at // nodes) * seconds, seconds * 0.8, "ValueError" if at % 40 == 7 else "")
        for at in range(tasks)
    ]


def show(stage: Stage, *tasks: TaskTimes, first: int = 0) -> Locator:
    """Show the dashboard with these tasks; returns the timeline."""
    stage.show(snapshot(*mixed(8)))
    send(stage, tasks, first)
    return stage.panel.locator(".timeline")


def send(stage: Stage, tasks: Sequence[TaskTimes], first: int) -> None:
    header, rows = packed(Ended(first, tasks))
    stage.tasks(header, rows)


def go(stage: Stage, *ongoing: tuple[int, str, int, float, float]) -> None:
    """Tell of tasks that have not ended: number, name, node, when called and begun (seconds after `NOW`, 0 for not)."""
    live = [
        [number, name, node, NOW + queued, NOW + queued if node >= 0 else 0, NOW + began if began else 0, 7]
        for number, name, node, queued, began in ongoing
    ]
    stage.seq += 1
    stage.message({"kind": "delta", "seq": stage.seq, "at": stage.at, "queued": 0, "rate": 0, "live": live})


def width(bar: Locator) -> float:
    return float(bar.evaluate("path => path.getBBox().width"))


def colour(timeline: Locator, name: str) -> str:
    """The colour that the legend gives a function."""
    swatch = timeline.locator(".legend li", has_text=name).locator(".swatch")
    return str(swatch.evaluate("swatch => getComputedStyle(swatch).backgroundColor"))


def shapes(timeline: Locator, kind: str) -> int:
    """How many shapes of a kind are drawn."""
    return str(timeline.locator(f"path.{kind}").get_attribute("d")).count("z" if kind != "crosses" else "m0")


def test_there_is_none_before_a_task_has_ended(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    expect(stage.panel.locator(".timeline")).to_have_count(0)
    send(stage, [task(1, 0, 0)], 0)
    expect(stage.panel.locator(".timeline")).to_be_visible()


def test_every_task_is_a_bar_in_the_row_of_its_node(stage: Stage) -> None:
    timeline = show(stage, task(1, 0, 0), task(2, 5, 0.5), task(3, 0, 1, error="KeyError"))
    expect(timeline.locator(".labels div")).to_have_text(["0", "5"])
    assert (shapes(timeline, "runs"), shapes(timeline, "errors"), shapes(timeline, "crosses")) == (2, 1, 1)


def test_what_is_known_already_is_not_taken_twice(stage: Stage) -> None:
    timeline = show(stage, *steady(2, 10))
    send(stage, [*steady(2, 10)[6:], task(11, 0, 6)], 6)
    expect(timeline.get_by_role("button")).to_have_text("All 11")
    assert shapes(timeline, "runs") + shapes(timeline, "errors") == 11


def test_pointing_at_a_task_describes_it(stage: Stage) -> None:
    timeline = show(stage, task(1, 0, 0, 2.0), task(2, 0, 3, 1.0, "KeyError"))
    lanes = timeline.get_by_role("slider")
    box = lanes.bounding_box()
    assert box is not None
    lanes.hover(position={"x": box["width"] * 0.3, "y": 8})
    expect(timeline.locator(".says")).to_contain_text("train 1 on node 0 · waited 500 ms · ran 2 s · back in 10 ms")
    lanes.hover(position={"x": box["width"] * 0.95, "y": 8})
    expect(timeline.locator(".says")).to_contain_text("train 2 on node 0")
    expect(timeline.locator(".says")).to_contain_text("✕ KeyError")


def test_keys_go_from_task_to_task_and_say_so(stage: Stage) -> None:
    timeline = show(stage, task(1, 0, 0), task(2, 0, 2), task(3, 1, 1.9))
    lanes, keys = timeline.get_by_role("slider"), stage.page.keyboard
    timeline.locator("summary").focus()
    keys.press("Tab")
    expect(lanes).to_be_focused()
    for key, number in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowDown", 3), ("ArrowUp", 2), ("Home", 1)):
        keys.press(key)
        expect(lanes).to_have_attribute("aria-valuetext", re.compile(f"^train {number} on node"))
    expect(lanes).to_have_attribute("aria-valuemax", "2")


def test_folding_it_away_stops_what_is_sent(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    first = stage.until_sent("tasks")[0]
    assert first["after"] == 0
    send(stage, steady(2, 10), 0)
    timeline = stage.panel.locator(".timeline")
    assert first["view"] == stage.until_sent("visible")[0]["view"]
    timeline.locator("summary").press("Enter")
    expect(timeline.locator("svg")).to_have_count(0)
    assert stage.until_sent("tasks", 2)[1] == first | {"after": -1}
    timeline.locator("summary").press("Enter")
    expect(timeline.locator("svg")).to_be_visible()
    assert stage.until_sent("tasks", 3)[2] == first | {"after": 10}


def test_a_view_that_comes_back_asks_for_what_it_missed(stage: Stage) -> None:
    show(stage, *steady(2, 10))
    stage.until_sent("tasks")
    stage.page.evaluate("document.getElementById('host').style.marginTop = '5000px'")
    stage.until_sent("visible", 2)
    stage.page.evaluate("document.getElementById('host').style.marginTop = ''")
    assert stage.until_sent("tasks", 2)[1]["after"] == 10


def test_it_shows_what_ran_since_the_last_long_pause(stage: Stage) -> None:
    timeline = show(stage, *steady(1, 20), *(task(100 + at, 0, 1000 + at) for at in range(3)))
    assert shapes(timeline, "runs") == 3
    timeline.get_by_role("button", name="All 23").click()
    expect(timeline.get_by_role("button")).to_have_attribute("aria-pressed", "true")
    assert shapes(timeline, "runs") + shapes(timeline, "errors") == 23


def test_thousands_of_short_tasks_are_counted(stage: Stage) -> None:
    timeline = show(stage, *steady(4, MOST, 0.01))
    assert shapes(timeline, "runs") + shapes(timeline, "errors") <= 4 * 160
    lanes = timeline.get_by_role("slider")
    box = lanes.bounding_box()
    assert box is not None
    lanes.hover(position={"x": box["width"] / 2, "y": 30})
    expect(timeline.locator(".says")).to_contain_text(re.compile(r"\d+ tasks ended · \d\.\d ran at a time"))


def test_many_nodes_share_rows(stage: Stage) -> None:
    timeline = show(stage, *steady(200, 400))
    expect(timeline.locator(".labels div")).to_have_count(25)
    expect(timeline.locator(".labels div").first).to_have_text("0–7")


def test_it_stays_when_the_pool_is_over_and_after_a_reload(stage: Stage) -> None:
    header, rows = packed(Ended(3, [task(4, 0, 0), task(5, 1, 0)]))
    shown = snapshot(*mixed(2), state="stopped")
    stage.show(shown, ended=shown["started"] + 5, last={"finished": 5, "done": []})
    last = "([header, rows]) => mock.set({ last: { tasks: { ...header, rows: new Uint8Array(rows) } } })"
    stage.page.evaluate(last, [header, list(rows)])
    timeline = stage.panel.locator(".timeline")
    expect(timeline.locator(".labels div")).to_have_text(["0", "1"])
    assert stage.sent("tasks") == []


def test_names_are_text_never_markup(stage: Stage) -> None:
    evil = "<img src=x onerror='window.evil = true'>"
    times = TaskTimes(1, evil, 0, NOW, NOW, NOW, NOW + 1, NOW + 1, evil)
    timeline = show(stage, times)
    timeline.get_by_role("slider").press("Home")
    expect(timeline.locator(".says")).to_contain_text(evil)
    expect(timeline.locator("img")).to_have_count(0)


def test_what_the_pool_costs_is_shown_when_it_costs_something(stage: Stage) -> None:
    stage.show(snapshot(*mixed(2)))
    expect(stage.panel.locator(".cost")).to_have_count(0)
    stage.change(snapshot(*mixed(2), per_hour=2.4, so_far=0.125))
    expect(stage.panel.locator(".cost")).to_have_text("$2.40/h, $0.13 so far")
    stage.message({"kind": "delta", "seq": 1, "at": 1, "queued": 0, "rate": 0, "so_far": 0.5})
    expect(stage.panel.locator(".cost")).to_contain_text("$0.50 so far")


@pytest.mark.parametrize("width", [320, 640])
def test_it_does_not_overflow(stage: Stage, width: int) -> None:
    stage.page.set_viewport_size({"width": width, "height": 800})
    timeline = show(stage, *steady(8, 100))
    timeline.get_by_role("slider").press("End")
    assert stage.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_grave(stage: Stage, scheme: Literal["light", "dark"]) -> None:
    stage.page.emulate_media(color_scheme=scheme)
    timeline = show(stage, *steady(8, 100))
    timeline.get_by_role("slider").press("End")
    assert grave_faults(stage.page, ".skyward-dashboard .timeline") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_stand_out_from_what_is_behind_them(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme)
    stage = Stage(context.new_page())
    timeline = show(stage, *steady(8, 100))
    colours = [
        timeline.locator(".runs").evaluate("path => getComputedStyle(path).fill"),
        timeline.locator(".errors").evaluate("path => getComputedStyle(path).fill"),
        stage.panel.locator(".panel").evaluate("panel => getComputedStyle(panel).backgroundColor"),
    ]
    timeline.screenshot(path=tmp_path / f"{scheme}.png")
    context.close()
    assert len(set(colours)) == 3


def test_what_runs_grows_and_what_waits_has_a_line(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    stage.at = NOW + 10
    ongoing = (1, "train", 0, 0.0, 2.0), (2, "train", 1, 0.0, 9.0), (3, "train", 1, 1.0, 0), (4, "score", -1, 4.0, 0)
    go(stage, *ongoing)
    timeline = stage.panel.locator(".timeline")
    expect(timeline.locator(".labels div")).to_have_text(["0", "1", "queue"])
    expect(timeline.locator(".about")).to_contain_text("In [7] · ")
    expect(timeline.locator(".about")).to_contain_text("2 running, 2 waiting")
    assert str(timeline.locator("path.running").get_attribute("d")).count("z") == 2
    assert str(timeline.locator("path.waits").get_attribute("d")).count("H") == 4
    timeline.get_by_role("slider").press("Home")
    expect(timeline.locator(".says")).to_contain_text(re.compile(r"train 1 on node 0 · waited 2 s · runs for \d"))
    before = timeline.locator(".says").inner_text()
    expect(timeline.locator(".says")).not_to_have_text(before)
    timeline.get_by_role("slider").press("ArrowDown")
    timeline.get_by_role("slider").press("ArrowDown")
    expect(timeline.locator(".says")).to_contain_text(re.compile(r"score 4 waits for a free slot · for \d"))


def test_what_ran_becomes_what_has_ended(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    stage.at = NOW + 3
    go(stage, (1, "train", 0, 0.0, 1.0))
    timeline = stage.panel.locator(".timeline")
    expect(timeline.locator("path.running")).to_have_count(1)
    send(stage, [task(1, 0, 1, 2.0)], 0)
    go(stage)
    expect(timeline.locator("path.running")).to_have_count(0)
    assert shapes(timeline, "runs") == 1
    expect(timeline.locator(".about")).to_contain_text("· 1 done")


def test_nothing_grows_while_the_kernel_cannot_be_heard(stage: Stage) -> None:
    stage.show(snapshot(*mixed(8)))
    stage.at = NOW + 3
    go(stage, (1, "train", 0, 0.0, 1.0))
    stage.page.evaluate("mock.silent = true")
    expect(stage.panel.locator(".cut")).to_be_visible()
    about = stage.panel.locator(".timeline .about")
    before = about.inner_text()
    stage.page.evaluate("() => new Promise(done => setTimeout(done, 1500))")
    assert about.inner_text() == before


def cells(*numbers: int) -> list[TaskTimes]:
    """A task for each, which this cell called, a second after the one before."""
    return [replace(task(at + 1, 0, float(at), 0.5), cell=number) for at, number in enumerate(numbers)]


def test_bars_of_former_cells_are_not_those_of_the_last_one(stage: Stage) -> None:
    timeline = show(stage, *cells(3, 3, 4))
    expect(timeline.locator(".about")).to_have_text(re.compile(r"^In \[4\] · .* · 1 done$"))
    assert shapes(timeline, "runs") == 1
    timeline.get_by_role("button", name="All 3").click()
    expect(timeline.locator(".about")).to_have_text(re.compile("^2 cells · .* · 3 done$"))
    expect(timeline.locator(".cells span")).to_have_text(["[3]", "[4]"])
    assert shapes(timeline, "runs") == 3


def test_a_cell_that_has_just_begun_does_not_show_what_the_one_before_did(stage: Stage) -> None:
    timeline = show(stage, *cells(5, 6))
    stage.at = NOW + 10
    go(stage, (9, "score", 2, 9.0, 9.5))
    expect(timeline.locator(".about")).to_contain_text("In [7]")
    expect(timeline.locator(".legend li")).to_have_text([re.compile("score")])
    expect(timeline.locator(".labels div")).to_have_text(["2"])


def test_colours_are_those_of_functions_and_stay(stage: Stage) -> None:
    names = ("train", "score", "load", "merge")
    times = [replace(task(at + 1, at % 2, at), name=name) for at, name in enumerate(names)]
    timeline = show(stage, *times)
    found = {name: colour(timeline, name) for name in names}
    assert len(set(found.values())) == len(names)
    expect(timeline.locator("path.runs")).to_have_count(len(names))
    send(stage, [replace(task(9, 0, 9.0), name="later"), *times], 4)
    assert {name: colour(timeline, name) for name in names} == found
    assert colour(timeline, "later") not in found.values()


def test_stopped_tasks_are_no_errors(stage: Stage) -> None:
    timeline = show(stage, task(1, 0, 0), task(2, 0, 1, error="TaskInterrupted"), task(3, 0, 2, error="KeyError"))
    assert (shapes(timeline, "runs"), shapes(timeline, "cancelled"), shapes(timeline, "errors")) == (1, 1, 1)
    assert shapes(timeline, "crosses") == 1
    expect(timeline.locator(".about")).to_contain_text("1 done, 1 failed, 1 cancelled")


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.9, ["05:45:00.0", "05:45:00.2", "05:45:00.4", "05:45:00.6", "05:45:00.8"]),
        (4.5, ["05:45:00", "05:45:01", "05:45:02", "05:45:03", "05:45:04"]),
        (40, ["05:45:00", "05:45:10", "05:45:20", "05:45:30", "05:45:40"]),
        (400, ["05:46", "05:48", "05:50"]),
        (5 * 3600, ["06:00", "07:00", "08:00", "09:00", "10:00"]),
    ],
)
def test_ticks_are_round_on_the_readers_clock(browser: Browser, seconds: float, labels: list[str]) -> None:
    with browser.new_context(timezone_id="Asia/Kathmandu") as context:  # 5:45 ahead
        stage = Stage(context.new_page())
        midnight = 1_800_057_600.0
        times = TaskTimes(1, "f", 0, midnight, midnight, midnight, midnight + seconds, midnight + seconds)
        timeline = show(stage, times)
        expect(timeline.locator(".ticks span")).to_have_text(labels)
