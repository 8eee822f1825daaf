"""Output of many nodes: merged, labelled, bounded."""

from __future__ import annotations

from skyward_jupyter.notebook.grouping import CELL_LIMIT, LINES_A_TICK, PATIENCE
from skyward_jupyter.notebook.sections import DISPLAYS, NODE_LINES
from skyward_jupyter.wire.events import Clear, Display, Dropped
from skyward_jupyter.wire.progress import Bar, bundle
from tests.unit.notebook.fakes import Cell


def test_equal_lines_of_a_tick_become_one() -> None:
    cell = Cell(8)
    for node in range(8):
        cell.say(node, "hello\n" if node != 3 else "bye\n")
    assert cell.screen.log == []
    cell.ticks.turn()
    assert cell.screen.text == "[0-2,4-7] hello\n[3] bye\n"


def test_lines_repeat_as_often_as_a_node_wrote_them() -> None:
    cell = Cell(2)
    cell.say(0, "a\na\n")
    cell.say(1, "a\n")
    cell.ticks.turn()
    assert cell.screen.text == "[0-1] a\n[0] a\n"


def test_lines_of_a_tick_are_in_node_order_and_each_nodes_order_holds() -> None:
    cell = Cell(3)
    for node in (2, 0, 1):
        cell.say(node, f"first {node}\nsame\n")
    cell.ticks.turn()
    assert cell.screen.text.splitlines() == ["[0] first 0", "[1] first 1", "[2] first 2", "[0-2] same"]


def test_the_first_lines_wait_for_nodes_that_begin_later() -> None:
    cell = Cell(2)
    cell.say(0, "a\n")
    cell.ticks.turn()
    assert cell.screen.text == ""
    cell.say(1, "a\n")
    cell.ticks.turn()
    assert cell.screen.text == "[0-1] a\n"


def test_the_first_lines_do_not_wait_for_ever() -> None:
    cell = Cell(2)
    cell.say(0, "a\n")
    for _ in range(PATIENCE + 1):
        cell.ticks.turn()
    assert cell.screen.text == "[0] a\n"


def test_lines_of_different_ticks_stay_apart() -> None:
    cell = Cell(2)
    for node in (0, 1):
        cell.say(node, "begun\n")
    cell.ticks.turn()
    cell.say(0, "a\n")
    cell.ticks.turn()
    cell.say(1, "a\n")
    cell.ticks.turn()
    assert cell.screen.text == "[0-1] begun\n[0] a\n[1] a\n"


def test_by_time_nothing_is_merged() -> None:
    cell = Cell(2, "time")
    cell.say(1, "a\n")
    cell.say(0, "a\n")
    cell.output.end()
    assert cell.screen.text == "[1] a\n[0] a\n"


def test_by_node_each_nodes_lines_stay_together() -> None:
    cell = Cell(2, "node")
    cell.say(1, "b1\n")
    cell.say(0, "a1\n")
    cell.ticks.turn()
    cell.say(1, "b2\n")
    cell.output.end()
    assert cell.screen.lives["nodes"] == "[0]\n  a1\n[1]\n  b1\n  b2"


def test_by_node_displays_stay_with_the_lines_around_them() -> None:
    cell = Cell(3, "node")
    for node in (2, 0, 1):
        cell.say(node, f"before {node}\n")
    cell.ticks.turn()
    for node in (1, 2):
        cell.output.take(Display(node, {"text/plain": f"figure {node}", "image/png": "…"}, {}, {}))
        cell.say(node, f"after {node}\n")
    cell.ticks.turn()
    assert cell.screen.log == []
    assert cell.screen.lives["nodes"].splitlines() == [
        *["[0]", "  before 0"],
        *["[1]", "  before 1", "  figure 1", "  after 1"],
        *["[2]", "  before 2", "  figure 2", "  after 2"],
    ]
    cell.output.end()
    assert cell.screen.lives["nodes"] == "[0]\n  before 0"
    assert cell.screen.log == [
        ("bundle", "[1]\n  before 1"),
        ("display", "[1] {'text/plain': 'figure 1', 'image/png': '…'}"),
        ("bundle", "  after 1"),
        ("bundle", "[2]\n  before 2"),
        ("display", "[2] {'text/plain': 'figure 2', 'image/png': '…'}"),
        ("bundle", "  after 2"),
    ]


def test_by_node_a_display_has_its_last_state_and_its_place() -> None:
    cell = Cell(2, "node")
    for state in ("first", "second"):
        cell.output.take(Display(1, {"text/plain": state}, {}, {"display_id": "d"}, update=state != "first"))
        cell.say(1, "line\n")
    cell.output.end()
    assert cell.screen.lives["nodes"] == "[1]"
    assert cell.screen.log == [("display", "[1] {'text/plain': 'second'}"), ("bundle", "  line\n  line")]


def test_by_node_a_display_of_an_earlier_cell_is_updated_where_it_is() -> None:
    cell = Cell(2, "node")
    cell.output.take(Display(1, {"text/plain": "new"}, {}, {"display_id": "old"}, update=True))
    cell.output.end()
    assert cell.screen.log == [("display", "[1] {'text/plain': 'new'} labelled")]


def test_by_node_what_is_cleared_goes_with_its_displays() -> None:
    cell = Cell(2, "node")
    for text in ("old", "new"):
        cell.output.take(Display(0, {"text/plain": text}, {}, {}))
        cell.say(0, f"{text} line\n")
        if text == "old":
            cell.output.take(Clear(0, True))
    cell.output.end()
    assert cell.screen.lives["nodes"] == "[0]"
    assert cell.screen.log == [("display", "[0] {'text/plain': 'new'}"), ("bundle", "  new line")]


def test_by_node_lines_and_displays_are_bounded() -> None:
    cell = Cell(2, "node")
    for n in range(DISPLAYS):
        cell.output.take(Display(0, {"text/plain": str(n)}, {}, {}))
    cell.say(0, "".join(f"{n}\n" for n in range(NODE_LINES + 7)))
    cell.output.end()
    assert cell.screen.lives["nodes"].splitlines() == [
        "[0]",
        "  … 7 lines left out here",
        f"  … {DISPLAYS // 2} displays not shown",
    ]
    assert sum(kind == "display" for kind, _ in cell.screen.log) == DISPLAYS // 2


def test_by_node_a_run_in_the_background_has_its_displays_in_node_order() -> None:
    cell = Cell(2, "node", raw=False)
    for node in (1, 0):
        cell.output.take(Display(node, {"text/plain": f"figure {node}"}, {}, {}))
        cell.say(node, "line\n")
    cell.output.end()
    assert cell.screen.log == [
        ("display", "[0] {'text/plain': 'figure 0'} labelled"),
        ("display", "[1] {'text/plain': 'figure 1'} labelled"),
    ]
    assert cell.screen.lives["nodes"] == "[0]\n  figure 0\n  line\n[1]\n  figure 1\n  line"


def test_one_node_has_no_label_and_its_text_passes_unchanged() -> None:
    cell = Cell(1)
    cell.say(0, "no newline")
    cell.ticks.turn()
    cell.say(0, "\r50%\r100%\n")
    cell.output.end()
    assert cell.screen.text == "no newline\r50%\r100%\n"


def test_text_without_newline_is_written_at_the_end() -> None:
    cell = Cell(2)
    cell.say(0, "half")
    cell.ticks.turn()
    assert cell.screen.text == ""
    cell.output.end()
    assert cell.screen.text == "[0] half\n"


def test_streams_keep_their_own() -> None:
    cell = Cell(2)
    cell.say(0, "out\n")
    cell.say(0, "err\n", "stderr")
    cell.output.end()
    assert cell.screen.log == [("stdout", "[0] out\n"), ("stderr", "[0] err\n")]


def test_progress_bars_share_one_display_with_a_row_for_each_node() -> None:
    cell = Cell(2)
    for percent in (0, 50, 100):
        for node in range(2):
            cell.say(node, f"\r{percent}% of node {node}", "stderr")
        cell.ticks.turn()
    assert cell.screen.lives == {"progress": "[0] 100% of node 0\n[1] 100% of node 1"}
    for node in range(2):
        cell.say(node, "\n", "stderr")
    cell.say(0, "done\n")
    cell.output.end()
    assert cell.screen.lives == {"progress": "[0] 100% of node 0\n[1] 100% of node 1"}
    assert cell.screen.text == "[0] done\n"


def test_equal_displays_are_shown_once_and_in_order_with_text() -> None:
    cell = Cell(2)
    for node in range(2):
        cell.say(node, "before\n")
        cell.output.take(Display(node, {"text/html": "<b>"}, {}, {}))
        cell.say(node, "after\n")
    cell.output.end()
    kinds = [kind for kind, _ in cell.screen.log]
    assert kinds == ["stdout", "display", "stdout"]
    assert cell.screen.log[1][1].startswith("[0, 1]")


def test_displays_that_will_be_updated_are_not_merged() -> None:
    cell = Cell(2)
    for node in range(2):
        cell.output.take(Display(node, {"text/plain": "x"}, {}, {"display_id": "d"}))
    cell.output.end()
    assert len(cell.screen.log) == 2


def test_clearing_waits_for_all_nodes() -> None:
    cell = Cell(2)
    cell.say(0, "old\n")
    cell.say(1, "old\n")
    cell.output.take(Clear(0, True))
    cell.say(0, "new\n")
    cell.ticks.turn()
    assert cell.screen.log == [("stdout", "[1] old\n[0] new\n")] or cell.screen.text == "[0] new\n[1] old\n"
    cell.output.take(Clear(1, True))
    cell.ticks.turn()
    assert cell.screen.log[-1] == ("clear", "True")


def test_a_flood_in_a_tick_is_bounded_counted_and_its_end_is_shown() -> None:
    cell = Cell(2)
    for number in range(4 * LINES_A_TICK):
        cell.say(number % 2, f"line {number}\n")
    cell.output.end()
    assert f"line {4 * LINES_A_TICK - 1}\n" in cell.screen.text
    assert cell.screen.text.count("\n") < 1.1 * LINES_A_TICK
    assert f"{3 * LINES_A_TICK - 50:,} lines left out here" in cell.screen.text
    assert cell.log.tail(1)[0].text == f"line {4 * LINES_A_TICK - 1}"
    assert cell.log.end + cell.log.missing == 4 * LINES_A_TICK


def test_the_log_has_what_was_too_much_to_show() -> None:
    cell = Cell(2, "time")
    for number in range(1000):
        cell.say(0, "x" * 2000 + f" {number}\n")
    cell.output.end()
    assert "lines left out here" in cell.screen.text
    assert [line.text[-4:] for line in cell.log.tail(1000)][::500] == ["xx 0", " 500"]
    assert ("crowded", "") in cell.screen.log


def test_bars_of_all_nodes_are_in_one_place() -> None:
    cell = Cell(2)
    for node in (0, 1):
        one = Bar("cell:1#1", "running", 5 * (node + 1), 10, 1.0)
        cell.output.take(Display(node, bundle([one]), {}, {}))
    cell.ticks.turn()
    assert cell.screen.log == []
    assert cell.screen.lives["progress"].startswith("[0-1]  75%|")
    cell.output.end()
    assert cell.screen.lives["progress"].endswith("unfinished on [0-1]]")


def test_bars_as_text_stand_below_those_that_are_known() -> None:
    cell = Cell(2)
    cell.output.take(Display(0, bundle([Bar("a#1", "running", 1, 2)]), {}, {}))
    cell.say(1, "\r50% by hand")
    cell.output.end()
    assert [line[:4] for line in cell.screen.lives["progress"].splitlines()] == ["[0] ", "[1] "]


def test_of_many_updates_in_a_tick_the_last_counts() -> None:
    cell = Cell(2)
    for number in range(100):
        cell.output.take(Display(0, {"text/plain": str(number)}, {}, {"display_id": "d"}, True))
        cell.output.take(Display(1, {"text/plain": str(number)}, {}, {"display_id": "d"}, True))
    cell.output.end()
    assert [text[:3] for kind, text in cell.screen.log if kind == "display"] == ["[0]", "[1]"]
    assert cell.screen.text.count("'99'") == 2


def test_a_cell_that_never_stops_writing_is_bounded() -> None:
    cell = Cell(2, "time")
    line = "x" * 1000 + "\n"
    for _ in range(3 * CELL_LIMIT // len(line) // 1000):
        cell.say(0, line * 1000)
        cell.ticks.turn()
    cell.say(1, "the end\n")
    cell.output.end()
    assert len(cell.screen.text) < 1.1 * CELL_LIMIT
    assert "lines left out here" in cell.screen.text
    assert cell.screen.text.endswith("[1] the end\n")


def test_a_run_in_the_background_shows_bars_of_one_node_without_label() -> None:
    cell = Cell(1, raw=False)
    cell.say(0, "\r1%\r100%")
    cell.say(0, "\nplain\n")
    cell.output.end()
    assert cell.screen.lives["progress"] == "100%"
    assert cell.screen.text == "plain\n"


def test_what_was_dropped_is_said_where_it_is_missing() -> None:
    cell = Cell(2, "time")
    cell.say(0, "a\nbegun")
    cell.output.take(Dropped(0, 12_400_000))
    cell.say(0, "later\n")
    cell.output.end()
    assert cell.screen.text.splitlines() == [
        "[0] a",
        "[0] begun",
        "[0] 12.4 MB of output were dropped: the reader was slower than the node",
        "[0] later",
    ]


def test_what_one_node_alone_dropped_names_it() -> None:
    for raw in (True, False):
        cell = Cell(1, raw=raw)
        cell.say(0, "a\n")
        cell.output.take(Dropped(0, 500, 1))
        cell.say(0, "b\n")
        cell.output.end()
        assert cell.screen.text.splitlines() == [
            "a",
            "[node 0] 500 bytes of output and 1 display were dropped: the reader was slower than the node",
            "b",
        ]
