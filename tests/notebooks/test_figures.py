"""Figures and tables that several nodes show: side by side in the notebook, with text and clearing where they were."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.notebooks.kernel import Kernel, Shown

pytestmark = pytest.mark.kernel

IMPORTS = "%%sky\nfrom IPython.display import HTML, Image, clear_output, display\n"
#: A waiting cell: node n goes on when the file n is there.
WAITS = "while not os.path.exists(f'{name}{n}'): time.sleep(.01)\n"


def rows(shown: Shown) -> list[dict[str, Any]]:
    """Return the displays that are rows, in order."""
    return [data for data in shown.displays if "<figcaption" in data.get("text/html", "")]


def told(row: dict[str, Any]) -> list[str]:
    """Return what a row has as `[0] x`, in order."""
    page = re.sub(r"<style.*?</style>", "", row["text/html"], flags=re.DOTALL)
    page = re.sub("<[^>]*>", " ", page.replace("<figcaption", "\0<figcaption"))
    return [" ".join(cell.split()) for cell in page.split("\0")[1:]]


def test_figures_are_a_row_whose_text_is_short(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky\nimport matplotlib.pyplot as plt\nplt.plot([1, n]);")
    (row,) = rows(shown)
    assert told(row) == ["[0]", "[1]", "[2]"]
    assert row["text/html"].count('src="data:image/png;base64,') == 3
    assert row["text/plain"] == "[0-2] <Figure size 640x480 with 1 Axes>"


def test_tables_are_a_row_and_equal_ones_are_one(nodes: Kernel) -> None:
    table = "import pandas\npandas.DataFrame({'a': [%s]})"
    (row,) = rows(nodes.ok("%%sky\n" + table % "n"))
    assert told(row) == [f"[{n}] a 0 {n}" for n in range(3)]
    assert row["text/plain"].split("[1]\n")[0] == "[0]\n   a\n0  0\n"
    (row,) = rows(nodes.ok("%%sky\n" + table % "n % 2"))
    assert told(row) == ["[0,2] a 0 0", "[1] a 0 1"]
    same = nodes.ok("%%sky\n" + table % "7")
    assert (rows(same), same.displays[0]["text/plain"]) == ([], "[0-2]")
    assert rows(nodes.ok("%%sky --group time\n" + table % "n")) == []


def test_text_stays_before_and_after_and_each_figure_has_its_row(nodes: Kernel) -> None:
    body = "\n".join(f"print('{word}', flush=True)\ndisplay(HTML(f'{word} {{n}}'))" for word in ("one", "two"))
    shown = nodes.ok(f"{IMPORTS}{body}\nprint('end')")
    assert [told(row) for row in rows(shown)] == [[f"[{n}] {word} {n}" for n in range(3)] for word in ("one", "two")]
    assert set(shown.stdout.splitlines()) == {"[0-2] one", "[0-2] two", "[0-2] end"}


def test_a_figure_is_shown_at_once_and_its_row_grows(nodes: Kernel) -> None:
    shown = nodes.start(f"{IMPORTS}name = 'grow'\n{WAITS}display(HTML(f'<b>{{n}}</b>'))\nprint('shown', n)")
    (nodes.folder / "grow2").touch()
    nodes.until_shown(shown, lambda: any(data.get("text/html") == "<b>2</b>" for data in shown.displays))
    (nodes.folder / "grow0").touch()
    nodes.until_shown(shown, lambda: bool(rows(shown)))
    assert told(rows(shown)[0]) == ["[0] 0", "[2] 2"]
    (nodes.folder / "grow1").touch()
    nodes.finish(shown)
    assert [told(row) for row in rows(shown)] == [["[0] 0", "[1] 1", "[2] 2"]]
    assert not any(data.get("text/html") == "<b>2</b>" for data in shown.displays)


def test_one_nodes_figure_stays_an_image_of_its_own(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky\nimport matplotlib.pyplot as plt\nif n == 1: plt.plot([1]); plt.show()")
    assert [data["text/plain"] for data in shown.displays] == ["[1]", "<Figure size 640x480 with 1 Axes>"]
    assert "image/png" in shown.displays[1]


def test_nodes_that_fail_or_show_nothing_are_left_out(nodes: Kernel) -> None:
    shown = nodes.run(f"{IMPORTS}if n == 1: raise ValueError('no')\ndisplay(HTML(str(n)))")
    assert shown.ename == "CellFailed"
    assert told(rows(shown)[0]) == ["[0] 0", "[2] 2"]


def test_updates_reach_the_row_from_this_cell_and_from_later_ones(nodes: Kernel) -> None:
    shown = nodes.ok(f"{IMPORTS}h = display(HTML('new'), display_id='h')\nh.update(HTML(f'<i>{{n}}</i>'))")
    assert told(rows(shown)[0]) == ["[0] 0", "[1] 1", "[2] 2"]
    nodes.ok("%%sky --on 1\nh.update(HTML('later'))")
    assert told(rows(shown)[0]) == ["[0] 0", "[1] later", "[2] 2"]
    nodes.ok("%%sky --on 2\nh.update('text < 3')")
    assert told(rows(shown)[0]) == ["[0] 0", "[1] later", "[2] &#x27;text &lt; 3&#x27;"]


def test_cleared_and_shown_again_there_is_one_row(nodes: Kernel) -> None:
    loop = "for i in range(5):\n    time.sleep(.03 * (n + 1))\n    clear_output()\n    display(HTML(f'{n} {i}'))"
    shown = nodes.ok(IMPORTS + loop)
    assert shown.cleared  # which a front end does when the next row comes
    assert told(rows(shown)[-1]) == ["[0] 0 4", "[1] 1 4", "[2] 2 4"]


@pytest.mark.parametrize("page", ["<div>open", "over</div>", "<script>1</script>", "<style>b {", "<!-- open"])
def test_what_could_break_a_row_stands_alone(nodes: Kernel, page: str) -> None:
    shown = nodes.ok(f"{IMPORTS}display(HTML({page!r} + str(n)))")
    assert rows(shown) == []
    found = [data["text/html"] for data in shown.displays if "[" not in data["text/plain"]]
    assert sorted(found) == [f"{page}{n}" for n in range(3)]


def test_what_a_front_end_draws_itself_stands_alone(nodes: Kernel) -> None:
    bundle = "{'application/vnd.plotly.v1+json': {'data': [n]}, 'text/html': 'html', 'text/plain': 'Figure'}"
    shown = nodes.ok(f"{IMPORTS}display({bundle}, raw=True)")
    assert sum("application/vnd.plotly.v1+json" in data for data in shown.displays) == 3


def test_a_run_in_the_background_has_rows_too(nodes: Kernel) -> None:
    shown = nodes.ok(f"{IMPORTS.replace('%%sky', '%%sky --bg --into run')}display(HTML(f'<b>{{n}}</b>'))\nHTML(str(n))")
    nodes.ok("run.result(60)")
    assert told({"text/html": shown.displays[0]["text/html"]}) == [f"[{n}] {n}" for n in range(3)] * 2


def test_a_run_in_the_background_that_clears_keeps_the_last_row(nodes: Kernel) -> None:
    loop = "for i in range(4):\n    time.sleep(.1)\n    clear_output(wait=True)\n    display(HTML(f'{n} {i}'))"
    shown = nodes.ok(f"{IMPORTS.replace('%%sky', '%%sky --bg --into run')}{loop}")
    nodes.ok("run.result(60)")
    assert told({"text/html": shown.displays[0]["text/html"]}) == ["[0] 0 3", "[1] 1 3", "[2] 2 3"]


def test_captured_output_has_rows_when_it_is_shown(nodes: Kernel) -> None:
    nodes.ok(f"%%capture held\n{IMPORTS}display(HTML(f'<b>{{n}}</b>'))")
    assert told(rows(nodes.ok("held.show()"))[0]) == ["[0] 0", "[1] 1", "[2] 2"]
