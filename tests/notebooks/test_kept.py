"""What outputs hold of living views while the kernel runs: it is renewed, with no page and no widget's name."""

from __future__ import annotations

import re
import time

import pytest

from skyward_jupyter.widgets.keeping import EVERY
from skyward_jupyter.widgets.view import built
from tests.notebooks.kernel import Kernel, Shown

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not built("run"), reason="the widgets are not built")]

PLACE = '<div data-skyward="'
LONG = (
    "%%sky\nimport os, time\nfrom tqdm.auto import tqdm\nfor i in tqdm(range(10**6), desc='long'):\n"
    "    time.sleep(0.02)\n    if os.path.exists('go'): break"
)
BEHIND = (
    "%%sky --bg --into run\nimport os, time\nwhile not os.path.exists('done'): time.sleep(0.05)\nprint('it is done')"
)
#: Far longer than a change takes to be kept, on a machine that does much else.
PATIENCE = 60.0


def until(nodes: Kernel, shown: Shown, text: str) -> float:
    """Run cells that do nothing until a display holds a text; returns how long that took."""
    began = time.monotonic()
    while not any(text in str(data) for data in shown.displays):
        assert time.monotonic() - began < PATIENCE, shown
        nodes.ok("pass")
    return time.monotonic() - began


def test_a_cell_that_runs_long_holds_text_and_html(nodes: Kernel) -> None:
    shown = nodes.start(LONG)
    nodes.until_shown(shown, lambda: any("text/html" in data for data in shown.displays))
    (data,) = shown.displays
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/html"].startswith(PLACE)
    first = data["text/plain"]
    nodes.until_shown(shown, lambda: shown.displays[0]["text/plain"] != first)
    (nodes.folder / "go").touch()
    nodes.finish(shown)
    assert PLACE not in shown.displays[0]["text/html"]


def test_what_changes_between_cells_is_held_soon(nodes: Kernel) -> None:
    shown = nodes.ok(BEHIND)
    assert "as of" in shown.displays[0]["text/html"]
    (nodes.folder / "done").touch()
    until(nodes, shown, "it is done")
    assert set(shown.displays[0]) == {"text/plain", "text/html"}


def test_what_cells_change_is_held_after_them(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\ncount = sky.counter('kept')")
    shown = nodes.ok("display(count)\nsky.pool()")
    for value in range(1, 21):
        nodes.ok("count.increment()")
        until(nodes, shown, f": {value}")
    assert len(shown.displays) == 2


def test_one_that_is_displayed_again_is_kept_in_both(nodes: Kernel) -> None:
    nodes.ok("import skyward as sky\ntwice = sky.dict('twice')")
    first, second = nodes.ok("twice"), nodes.ok("display(twice)")
    nodes.ok("twice['key'] = 'both'")
    for shown in (first, second):
        until(nodes, shown, "both")
    assert place(first) == place(second) != ""


def test_nothing_is_sent_while_nothing_changes(nodes: Kernel) -> None:
    shown = nodes.ok("sky.pool()")
    nodes.ok("pass")
    turn = "from skyward_jupyter.widgets import keeping\nimport time\nsince = time.monotonic()\n"
    nodes.ok(f"{turn}while time.monotonic() - since < {2 * EVERY + 1}: time.sleep(0.1)")
    sent = len(shown.sent)
    nodes.ok(f"{turn}while time.monotonic() - since < {EVERY + 1}: time.sleep(0.1)")
    nodes.ok("pass")
    assert len(shown.sent) == sent


def place(shown: Shown) -> str:
    found = re.match(rf'{PLACE}(\w+)">', shown.displays[0]["text/html"])
    return found[1] if found else ""
