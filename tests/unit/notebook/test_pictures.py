"""What a run in the background displays, as HTML."""

from __future__ import annotations

import base64

from skyward_jupyter.notebook import pictures
from skyward_jupyter.notebook.pictures import Pictures, as_html


def test_html_is_taken_as_it_is_and_text_is_escaped() -> None:
    assert as_html({"text/plain": "x", "text/html": "<b>x</b>"}) == "<b>x</b>"
    assert "&lt;b&gt;" in as_html({"text/plain": "<b>"})


def test_images_go_into_the_page() -> None:
    data = base64.b64encode(b"png").decode()
    for value in (data, b"png", data[:2] + "\n" + data[2:]):
        assert f'src="data:image/png;base64,{data}"' in as_html({"image/png": value, "text/plain": "<Figure>"})
    assert 'alt="&lt;Figure&gt;"' in as_html({"image/png": data, "text/plain": "<Figure>"})
    assert "<svg" not in as_html({"image/svg+xml": "<svg onload='evil()'/>"})


def test_an_update_takes_the_place_of_what_it_updates() -> None:
    made = Pictures()
    made.add("[0]", {"text/html": "a"}, "0-d")
    made.add("[1]", {"text/html": "b"})
    made.add("", {"text/html": "c"}, "0-d", update=True)
    assert made.shown == [("[0]", "c"), ("[1]", "b")]


def test_only_so_many_are_kept() -> None:
    made = Pictures()
    for number in range(pictures.MOST + 3):
        made.add("", {"text/html": str(number)})
    assert (len(made.shown), made.hidden) == (pictures.MOST, 3)
    made.clear()
    made.add("", {"text/html": "x" * pictures.CHARACTERS})
    made.add("", {"text/html": "x"})
    assert (len(made.shown), made.hidden) == (1, 1)


def test_one_that_has_grown_too_large_is_counted_once_and_keeps_what_it_had() -> None:
    made = Pictures()
    made.add("", {"text/html": "row"}, "r")
    for _ in range(3):
        made.add("", {"text/html": "x" * (pictures.CHARACTERS + 1)}, "r", update=True)
    assert (made.shown, made.hidden) == ([("", "row")], 1)
