"""``%sky EXPR``: its values, and what it writes and displays."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_what_it_prints_is_shown_and_nothing_else(nodes: Kernel) -> None:
    shown = nodes.ok("%sky print('hi', n)")
    assert (shown.stdout, shown.displays) == ("[0] hi 0\n[1] hi 1\n[2] hi 2\n", [])
    assert nodes.ok("%sky print('same')").stdout == "[0-2] same\n"


def test_what_it_prints_stands_beside_its_value(nodes: Kernel) -> None:
    shown = nodes.ok("%sky print('hi') or n")
    assert (shown.stdout, shown.text) == ("[0-2] hi\n", "[0] 0\n[1] 1\n[2] 2")


def test_what_c_code_and_children_write_is_shown(nodes: Kernel) -> None:
    shown = nodes.ok("%sky __import__('os').system('echo child; echo err >&2')")
    assert (shown.stdout, shown.stderr, shown.text) == ("[0-2] child\n", "[0-2] err\n", "[0-2] 0")


def test_what_it_displays_is_shown(nodes: Kernel) -> None:
    shown = nodes.ok("%sky display('a', 7)")
    assert [data["text/plain"] for data in shown.displays] == ["[0-2]", "'a'", "[0-2]", "7"]


def test_tables_are_side_by_side_and_plain_values_are_text(nodes: Kernel) -> None:
    nodes.ok("%%sky\nclass Table:\n    def _repr_html_(self): return f'<table><tr><td>{n}</table>'")
    (data,) = nodes.ok("%sky Table() if n else 'none'").displays
    assert data["text/html"].count("<table>") == 2
    assert "&#x27;none&#x27;</pre>" in data["text/html"]
    assert data["text/plain"].startswith("[0] 'none'\n[1] <")
    assert set(nodes.ok("%sky n").displays[0]) == {"text/plain"}


def test_a_bar_of_its_is_shown(nodes: Kernel) -> None:
    nodes.ok("%%sky\nfrom tqdm.auto import tqdm")
    assert "30/30" in nodes.ok("%sky [i for i in tqdm(range(10))] and None").text


def test_values_that_are_kept_are_values(nodes: Kernel) -> None:
    assert nodes.ok("got = %sky print('once')").stdout == "[0-2] once\n"
    assert nodes.ok("got").text == "[None, None, None]"
    assert nodes.ok("%sky None").displays == []
    assert nodes.ok("%sky n or None").text == "[1] 1\n[2] 2"


def test_one_that_fails_shows_what_it_printed_before(nodes: Kernel) -> None:
    shown = nodes.run("%sky print('before') or 1 / 0")
    assert (shown.stdout, shown.ename) == ("[0-2] before\n", "CellFailed")
