"""The shell of a session: what IPython keeps, how a cell ends itself, and cells after one that could not be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_directories_and_bookmarks(nodes: Kernel, tmp_path: Path) -> None:
    there, back = tmp_path / "there", nodes.folder
    there.mkdir()
    assert nodes.ok(f"%%sky\n%cd {there}").stdout == f"[0-2] {there}\n"
    assert nodes.ok(f"%%sky\n%bookmark here\n%cd {back}\n%cd -q -b here\nos.getcwd()").text == f"[0-2] '{there}'"
    assert "here" in nodes.ok("%%sky\n%bookmark -l").stdout
    assert nodes.ok(f"%%sky\n%pushd {back}\nos.getcwd()").text.endswith(f"'{back}'")
    assert nodes.ok("%%sky\n%popd\nos.getcwd()").text.endswith(f"'{there}'")
    assert str(there) in nodes.ok("%%sky\n%dhist").stdout
    assert nodes.ok(f"%%sky\n%cd -\n%cd {back}\nos.getcwd()").text == f"[0-2] '{back}'"
    assert nodes.ok("%%sky\n%bookmark -d here\n%bookmark -l").stdout == "[0-2] Current bookmarks:\n"


def test_other_magics_that_keep_something(nodes: Kernel) -> None:
    nodes.ok("%%sky\n%rehashx")
    assert nodes.ok("%%sky\n%store n\ndel n\n%store -r n\nn").text == "[0] 0\n[1] 1\n[2] 2"
    assert nodes.ok("%%sky\nip = get_ipython()\nip.db['a/b'] = 1\nip.db.get('a/b'), ip.db.keys('a/*'), ip.profile").text
    assert not list(nodes.folder.rglob("bookmarks"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("quit()", "SystemExit"),
        ("exit()", "SystemExit"),
        ("def f(): quit(3)\nf()", "SystemExit: 3"),
        ("exit('bye')", "SystemExit: bye"),
        ("import sys\nsys.exit(2)", "SystemExit: 2"),
    ],
)
def test_quit_ends_the_cell_and_not_the_session(nodes: Kernel, body: str, said: str) -> None:
    nodes.ok("%%sky\nkept = 1")
    shown = nodes.run(f"%%sky\nprint('before')\n{body}\nprint('after')")
    assert shown.ename == "CellFailed"
    assert shown.evalue.startswith(f"{said} (on nodes 0-2 of 3)")
    assert shown.stdout == "[0-2] before\n"
    assert nodes.ok("%%sky\nkept").text == "[0-2] 1"


def test_exit_alone_ends_a_cell(nodes: Kernel) -> None:
    assert nodes.run("%%sky\nexit").evalue.startswith("SystemExit (on nodes")
    assert nodes.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"


def test_a_cell_after_a_value_that_cannot_be_shown_is_well(nodes: Kernel) -> None:
    bad = "class Bad:\n    def __repr__(self): raise ValueError('no repr')\nBad()"
    assert nodes.run(bad).ename == "ValueError"
    assert nodes.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"
    assert nodes.run("%%sky\n1 / 0").status == "error"
    assert nodes.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"
    nodes.run(bad)
    nodes.ok("import asyncio\nawait asyncio.sleep(0)")
