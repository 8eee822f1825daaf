"""Progress bars of many nodes as one."""

from __future__ import annotations

from typing import Any

import pytest

from skyward_jupyter.notebook.bars import KEPT, Bars, amount, clock, facts, pace
from skyward_jupyter.wire.progress import MIME, Bar, bars_in, bundle


def bar(n: float = 0, total: float | None = 100, **changes: Any) -> Bar:
    return Bar(**{"key": "cell:1#1", "state": "running", "n": n, "total": total, "elapsed": 10.0, **changes})


def lines(*bars: Bar, each: bool = False) -> list[str]:
    """The lines of one bar for each node."""
    made = Bars()
    for node, one in enumerate(bars):
        made.take(node, [one])
    return made.lines(each=each, labelled=len(bars) > 1)


def test_one_line_has_the_sum_the_rate_and_the_time_of_the_last() -> None:
    (line,) = lines(bar(20, rate=2.0, label="train"), bar(60, rate=8.0, label="train"))
    assert line == (
        "[0-1] train:  40%|████      | 80/200 [00:10<00:40, 10 it/s, slowest [0] 2.0 it/s, fastest [1] 6.0 it/s]"
    )


def test_who_is_through_still_counts_but_not_for_the_rate() -> None:
    (line,) = lines(bar(100, state="done"), bar(50, rate=5.0))
    assert line.startswith("[0-1]  75%|███████▌  | 150/200 [00:10<00:10, 5.0 it/s, slowest [1]")


def test_the_end_shows_what_it_was_altogether() -> None:
    assert lines(bar(100, state="done"), bar(100, state="done", elapsed=20.0)) == [
        "[0-1] 100%|██████████| 200/200 [00:20, 10 it/s]"
    ]


def test_endings_are_named_by_node() -> None:
    (line,) = lines(bar(100, state="done"), bar(40, state="failed"), bar(50, state="stopped"), bar(9, state="stopped"))
    assert line.endswith("failed on [1], unfinished on [2-3]]")
    assert lines(bar(40, state="failed"))[0].endswith(", failed]")


def test_one_of_many_is_never_quite_full_before_all_are() -> None:
    assert "99%" in lines(bar(10_000, 10_000, state="done"), bar(9_999, 10_000))[0]


def test_without_total_it_counts() -> None:
    assert lines(bar(30, None, rate=3.0), bar(10, None, rate=1.0))[0].startswith(
        "[0-1] 40 it [00:10, 4.0 it/s, slowest"
    )


def test_labels_that_differ_keep_what_they_share() -> None:
    assert lines(bar(label="epoch 1"), bar(label="epoch 12"))[0].startswith("[0-1] epoch …:   0%|")
    assert lines(bar(label="a"), bar(label="b"))[0].startswith("[0-1]   0%|")


def test_by_node_each_has_a_line() -> None:
    assert [line[:8] for line in lines(bar(10), bar(20), each=True)] == ["[0]  10%", "[1]  20%"]


def test_bars_of_one_place_that_do_not_stay_replace_each_other() -> None:
    bars = Bars()
    bars.take(0, [bar(1, key="cell:2~0", label="first")])
    bars.take(0, [bar(1, key="cell:2~0", state="gone")])
    assert bars.lines(each=False, labelled=False) == []
    bars.take(0, [bar(5, key="cell:2~0", label="second")])
    assert len(bars.lines(each=False, labelled=False)) == 1


def test_very_many_are_bounded_and_counted_and_what_goes_on_stays() -> None:
    bars = Bars()
    bars.take(0, [bar(1, key="cell:1#1", label="outer")])
    for node in (0, 1):
        bars.take(
            node, [bar(100, key=f"cell:2#{number}", state="done", label=f"{number}") for number in range(1, 1001)]
        )
    shown = bars.lines(each=False, labelled=True)
    assert shown[0] == f"… {1000 - KEPT:,} bars not shown"
    assert shown[1].startswith("[0] outer")
    assert shown[-1].startswith("[0-1] 1000: 100%")
    assert len(shown) == KEPT + 2


def test_a_node_that_could_not_say_so_has_ended() -> None:
    bars = Bars()
    bars.take(0, [bar(40)])
    bars.end()
    assert bars.lines(each=False, labelled=False)[0].endswith("unfinished]")


def test_what_a_page_gets_is_written_out() -> None:
    bars = Bars()
    bars.take(0, [bar(20, rate=2.0)])
    bars.take(3, [bar(60, rate=6.0)])
    (group,) = bars.groups()
    told = facts(group)
    assert told["ranks"] == "0,3"
    assert told["share"] == 0.4
    assert told["left"] == "00:40"
    assert told["slowest"] == [0, "2.0 it/s"]
    assert told["nodes"] == [
        [0, "", "running", 0.2, "20/100", "2.0 it/s"],
        [3, "", "running", 0.6, "60/100", "6.0 it/s"],
    ]


@pytest.mark.parametrize(
    ("value", "divisor", "text"),
    [
        (999, 1000, "999"),
        (1000, 1000, "1.00k"),
        (12_345, 1000, "12.3k"),
        (123_456, 1000, "123k"),
        (2**20, 1024, "1.00M"),
    ],
)
def test_amounts_with_prefixes(value: float, divisor: float, text: str) -> None:
    assert amount(value, bar(scale=True, divisor=divisor)) == text


def test_slow_steps_are_told_in_seconds() -> None:
    assert pace(0.25, bar()) == "4.00 s/it"
    assert pace(1234.5, bar()) == "1,234 it/s"
    assert pace(2_500_000, bar(scale=True, unit="B")) == "2.50MB/s"


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 61, 3661)] == ["00:00", "01:01", "1:01:01"]


def test_they_travel_as_a_bundle_and_nothing_else_is_taken_for_one() -> None:
    one = bar(3, label="x")
    assert bars_in(bundle([one])) == [one]
    for data in ({}, {"text/plain": "x"}, {MIME: "x"}, {MIME: [3, {"state": "strange"}]}):
        assert bars_in(data) == []
