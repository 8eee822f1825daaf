"""The times of tasks as a picture and as text."""

from __future__ import annotations

import time
from dataclasses import replace
from xml.etree import ElementTree as ET

from skyward_jupyter.api.timeline import Timeline
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.timeline import DRAWN, latest, picture, summary, table

SVG = "{http://www.w3.org/2000/svg}"


def times(task: int, node: int, began: float, ended: float, error: str = "", name: str = "work") -> TaskTimes:
    return TaskTimes(task, name, node, began - 0.2, began - 0.1, began, ended, ended + 0.1, error)


def bars(svg: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(svg).iter(f"{SVG}rect") if one.get("class") in ("r", "e")]


def test_tasks_of_a_node_at_the_same_time_have_lanes_of_their_own() -> None:
    drawn = bars(picture([times(1, 0, 100.0, 101.0), times(2, 0, 100.5, 102.0), times(3, 0, 101.0, 101.5)]))
    lanes = {one[0].text: one.get("y") for one in drawn}
    first, second, third = (lanes[text] for text in sorted(text for text in lanes if text))
    assert first == third != second


def test_nodes_are_in_order_and_errors_stand_out() -> None:
    svg = picture([times(1, 3, 100.0, 101.0, "ValueError"), times(2, 1, 100.5, 102.0)])
    labels = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]
    assert labels.index("node 1") < labels.index("node 3")
    assert [one.get("class") for one in bars(svg)] == ["r", "e"]
    assert "ValueError" in svg


def test_an_error_is_not_told_by_its_colour_alone() -> None:
    fine, wrong = [times(1, 0, 100.0, 101.0)], [times(1, 0, 100.0, 101.0, "ValueError")]
    for alone in (False, True):
        marks = [svg.count('class="m"') for svg in (picture(fine, alone=alone), picture(wrong, alone=alone))]
        assert marks == [0, 1]
    assert "1 with an error (×)" in summary(wrong)


def test_where_nothing_can_be_pointed_at_it_is_small() -> None:
    many = [times(number, number % 8, number / 100, number / 100 + 0.005) for number in range(DRAWN)]
    svg = picture(many, alone=True)
    assert len(svg) < 80_000
    shapes = [one for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get("class") == "r"]
    assert sum(one.get("d", "").count("M") for one in shapes) == DRAWN


def test_many_nodes_share_rows_that_show_how_busy_they_were() -> None:
    one_each = [times(node, node, 100.0, 110.0 if node < 4 else 105.0) for node in range(200)]
    svg = picture([*one_each, times(1, 199, 100.0, 105.0, "KeyError")])
    labels = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text") if str(one.text).startswith("nodes ")]
    assert (labels[0], labels[-1], len(labels)) == ("nodes 0-7", "nodes 192-199", 25)
    assert svg.count('class="m"') == 1
    assert "201 tasks in 10.1 s on 200 nodes, 1 with an error (×)" in svg


def test_everything_is_escaped() -> None:
    svg = picture([times(1, 0, 0.0, 1.0, name="<lambda> & co")])
    assert "<lambda>" not in svg
    assert "<lambda> & co 1" in str(bars(svg)[0][0].text)


def test_it_is_complete_in_itself_and_reads_in_light_and_dark() -> None:
    svg = picture([times(1, 0, 0.0, 1.0)])
    assert "prefers-color-scheme:dark" in svg
    assert "href" not in svg
    assert "<script" not in svg


def test_no_tasks_and_very_many() -> None:
    assert "no task has ended yet" in picture([])
    assert table([]) == "no task has ended yet"
    many = [times(number, number % 3, number / 100, number / 100 + 0.005) for number in range(DRAWN + 500)]
    svg = picture(many)
    assert len(bars(svg)) == DRAWN
    assert "500 earlier ones are not drawn" in svg
    assert table(many).startswith(f"the last 20 of {DRAWN + 500} tasks, ")
    assert len(table(many).splitlines()) == 22


def test_a_table_counts_from_the_first_call() -> None:
    lines = table([times(7, 0, 100.2, 101.2), times(8, 1, 100.3, 100.4, "KeyError")]).splitlines()
    assert lines[2].split() == ["7", "work", "0", "0.0000", "0.1000", "0.2000", "1.2000", "1.3000"]
    assert lines[3].endswith("KeyError")


def test_a_timeline_is_a_tuple_that_shows_itself() -> None:
    timeline = Timeline([times(1, 0, 0.0, 1.0)])
    assert timeline[0].seconds == 1.0
    assert timeline._repr_svg_().startswith("<svg")
    assert str(timeline).count("\n") == 2


def cell(number: int, one: TaskTimes) -> TaskTimes:
    return replace(one, cell=number)


def test_a_colour_is_a_function_and_the_legend_says_which() -> None:
    drawn = [times(1, 0, 100.0, 101.0, name="load"), times(2, 0, 101.0, 102.0), times(3, 1, 100.0, 101.0, name="load")]
    for alone in (False, True):
        root = ET.fromstring(picture(drawn, alone=alone))
        fills = {
            group.get("class") for group in root.iter(f"{SVG}g") if group.find(f"{SVG}path[@class='k']") is not None
        }
        bars = {group.get("class") for group in root.iter(f"{SVG}g") if group.find("*[@class='r']") is not None}
        assert bars == fills
        assert len(bars) == 2
        assert {"load", "work"} <= {one.text for one in root.iter(f"{SVG}text")}


def test_stopped_tasks_are_no_errors() -> None:
    stopped = [times(1, 0, 100.0, 101.0, "TaskInterrupted"), times(2, 0, 101.0, 102.0, "KeyError")]
    assert summary(stopped).endswith(", 1 with an error (×), 1 cancelled")
    for alone in (False, True):
        assert picture(stopped, alone=alone).count('class="c"') == 1


def test_the_last_cell_is_apart_from_those_before() -> None:
    first, second = cell(3, times(1, 0, 100.0, 101.0)), cell(4, times(2, 0, 102.0, 103.0))
    assert list(latest([first, second])) == [second]
    assert summary(latest([first, second])).startswith("In [4]: 1 task in ")
    assert "In [" not in summary([first, second])
    assert picture([first, second]).count('class="s"') == 2
    assert picture([second]).count('class="s"') == 0
    assert list(latest([times(1, 0, 100.0, 101.0)])) == [times(1, 0, 100.0, 101.0)]


def test_the_axis_is_the_local_clock() -> None:
    drawn = [times(1, 0, 1_800_057_600.0, 1_800_057_610.0)]
    labels = [one.text for one in ET.fromstring(picture(drawn)).iter(f"{SVG}text")]
    assert time.strftime("%H:%M:%S", time.localtime(1_800_057_602)) in labels
