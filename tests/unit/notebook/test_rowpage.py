"""A row of displays as HTML and as text."""

from __future__ import annotations

import base64
import re
import struct

import pytest

from skyward_jupyter.notebook import rowpage
from skyward_jupyter.notebook.rowpage import fits, page, plain
from skyward_jupyter.notebook.rows import Figure

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 547, 413) + b"\x08").decode()


def figures(count: int, data: dict[str, object] | None = None) -> list[Figure]:
    return [Figure([n], data or {"text/html": f"<b>{n}</b>", "text/plain": f"text {n}"}, {}) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "folded"),
    [(4, ""), (5, "4 of 5 nodes; show the other"), (8, "4 of 8 nodes; show the others")],
)
def test_what_is_beyond_four_is_folded(count: int, folded: str) -> None:
    made = page(figures(count))
    found = re.search("<summary[^>]*>(.*)</summary>", made)
    assert (found[1] if found else "") == folded
    assert made.partition("<details>")[0].count("<figcaption") == min(count, 4)
    assert re.findall(r"<b>\d</b>", made) == [f"<b>{n}</b>" for n in range(count)]


def test_nodes_are_counted_not_displays() -> None:
    some = figures(6)
    some[0].ranks = [0, 6, 7]
    assert "6 of 8 nodes; show the others" in page(some)


def test_images_have_columns_and_are_no_larger_than_they_are() -> None:
    made = page(figures(2, {"image/png": PNG, "text/plain": "<Figure>"}))
    assert "grid-template-columns:repeat(auto-fit,minmax(240px,1fr))" in made
    assert made.count("max-width:547px") == 2
    assert 'alt="node 1: &lt;Figure&gt;"' in made
    retina = Figure([0], {"image/png": PNG}, {"image/png": {"width": 120, "height": 90}})
    assert "minmax(120px,1fr)" in page([retina, retina])
    assert page(figures(2, {"image/jpeg": "abcd"})).count("data:image/jpeg;base64,abcd") == 2
    assert page(figures(2, {"image/png": "no png"})).count("<img") == 2


def test_tables_are_as_wide_as_they_are_and_scroll() -> None:
    made = page(figures(2, {"text/html": "<table></table>"}))
    assert "display:flex;flex-wrap:wrap" in made
    assert made.count("overflow:auto;max-height:32em") == 2
    assert "min-width:240px" not in made
    assert page(figures(2)).count("min-width:240px") == 2


def test_text_has_equal_ones_once_and_long_ones_on_lines_of_their_own() -> None:
    some = figures(3, {"text/plain": "<Figure>"})
    assert plain(some) == "[0-2] <Figure>"
    some[1].data = {"text/plain": "a\nb"}
    assert plain(some) == "[0,2] <Figure>\n[1]\na\nb"
    assert plain(figures(1, {"image/png": PNG})) == "[0] (a display)"


@pytest.mark.parametrize(
    "html",
    ["<b>x</b>", "text", "a & b &amp", "<p>a<p>b", "<ul><li>a<li>b</ul>", "<br><img src=x>", "<img/>", "<!-- x -->",
     "<svg><path/></svg>", "<table><tr><td>a<tr><td>b</table>", "<html><body>x</body></html>",
     "<style>a > b {}</style>"],
)  # fmt: skip
def test_whole_html_fits(html: str) -> None:
    assert fits({"text/html": html})


@pytest.mark.parametrize(
    "html",
    ["<div>", "</div>", "<b><i></b></i>", "<script>x</script>", "<style>", "<!-- x", "<div", "<textarea>", "<div/>",
     "<td></table>", "<plaintext>", "</p></details>"],
)  # fmt: skip
def test_html_that_would_change_what_is_beside_it_does_not(html: str) -> None:
    assert not fits({"text/html": html})


def test_what_a_front_end_draws_by_itself_does_not() -> None:
    assert not fits({"application/vnd.plotly.v1+json": {}, "text/html": "x"})
    assert not fits({"application/javascript": "x", "text/html": "x"})
    assert not fits({"text/plain": "x"})
    assert not fits({"text/latex": "$x$", "text/plain": "x"})
    assert not fits({"text/html": "x" * (rowpage.LONGEST + 1)})
    assert fits({"image/png": PNG, "application/pdf": "x"})


def test_one_that_was_updated_to_what_does_not_fit_is_text() -> None:
    some = figures(2)
    some[0].data = {"text/html": "<div>", "text/plain": "<x>"}
    assert "<div>" not in page(some).replace("<div style", "")
    assert "&lt;x&gt;" in page(some)
