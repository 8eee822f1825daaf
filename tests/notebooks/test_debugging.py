"""A debugger after a failure on nodes: it stands where the code failed there, with the variables that it had."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.kernel import Kernel, Shown

pytestmark = pytest.mark.kernel

FUNCTION = (
    "%%sky\nimport os\ndef share(part):\n    # of nothing\n    whole = part - part\n    return n / whole\nhandle = os"
)


@pytest.fixture(scope="module")
def book(nodes: Kernel) -> Kernel:
    """A kernel whose nodes have a function that fails."""
    nodes.ok(FUNCTION)
    nodes.ok(
        "import skyward as sky\n@sky.compute\ndef call(x):\n    node = sky.instance_info().node\n"
        "    if node == 1:\n        return node\n    return x / (node - node)"
    )
    return nodes


def debugged(kernel: Kernel, cell: str, *commands: str) -> Shown:
    """What a cell shows that asks for commands."""
    shown = kernel.start(cell)
    for command in (*commands, "q"):
        kernel.answer(command)
    kernel.finish(shown)
    shown.stdout = re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout)
    return shown


def failing(kernel: Kernel, options: str = "") -> str:
    """Run a cell that fails in the function; returns its traceback."""
    shown = kernel.run(f"%%sky {options}\nlist_of = [n, 'a']\nkept = share(n + 3)")
    assert shown.ename == "CellFailed"
    return shown.traceback


def test_debug_stands_in_the_frame_of_the_first_node(book: Kernel) -> None:
    failing(book)
    commands = ("p part, whole", "ll", "p list_of", "u", "p list_of", "p n", "p handle", "ll", "d", "p part")
    text = debugged(book, "%debug", *commands).stdout
    assert text.startswith("node 0; nodes 0-2 failed: %sky debug 1 looks at node 1\n")
    first, *rest = text.split("\n(3, 0)\n")
    assert "----> 6     return n / whole" in first
    assert len(rest) == 1
    assert rest[0].lstrip().startswith("3 def share(part):\n      4     # of nothing")
    assert rest[0].count("\n[0, 'a']\n") == 2
    assert "----> 3 kept = share(n + 3)" in rest[0]
    assert "\n0\n" in rest[0]
    assert "NameError: name 'handle' is not defined" in rest[0]  # a module is none of the variables
    assert rest[0].rstrip().endswith("3")


def test_another_node_is_chosen_by_its_number(book: Kernel) -> None:
    failing(book)
    assert "\n5\n" in debugged(book, "%sky debug 2", "p part").stdout
    for word in ("7", "x"):
        shown = book.run(f"%sky debug {word}")
        assert shown.traceback == (
            f"UsageError: %sky debug {word}: nodes 0-2 failed and can be looked at, as in %sky debug 0"
        )
    assert "\n4\n" in debugged(book, "%sky debug 1", "p part").stdout
    failing(book, "--on 2")
    text = debugged(book, "%debug", "p part").stdout
    assert "\n5\n" in text
    assert "%sky debug" not in text
    book.run("1 / 0")
    shown = book.run("%sky debug")
    assert shown.traceback == "UsageError: %sky debug: the last error here is none of nodes; %debug looks at it"


@pytest.mark.parametrize(
    ("cell", "look", "seen"),
    [
        ("call(4) @ sky", "p x, node", "(4, 0)"),
        ("sky.gather(call(5), call(5), call(5)) >> sky", "p x", "5"),
        ("%%sky --keep-going\nlocal = 6\n1 / 0", "p local", "6"),
        ("%%sky --timeout 0.4\nlocal = 7\ntime.sleep(60)", "p local", "7"),
        ("%%sky\nimport asyncio\nlocal = 8\nawait asyncio.sleep(0)\n1 / 0", "p local", "8"),
        ("%%sky\ntry:\n    share(9)\nexcept ZeroDivisionError:\n    raise ValueError from None", "p n", "0"),
        (
            "run = None\nget_ipython().run_cell_magic('sky', '--bg --into run', 'local = 10\\n1 / 0')\nawait run",
            "p local",
            "10",
        ),
        ("def within():\n    get_ipython().run_cell_magic('sky', '', 'local = 11\\n1 / 0')\nwithin()", "p local", "11"),
    ],
)
def test_whatever_failed_on_nodes(book: Kernel, cell: str, look: str, seen: str) -> None:
    assert book.run(cell).ename
    assert f"\n{seen}\n" in debugged(book, "%debug", look).stdout


def test_an_interrupted_cell_shows_where_it_was(book: Kernel) -> None:
    shown = book.run("%%sky\nlocal = 12\nprint('begun', flush=True)\ntime.sleep(600)", interrupt_at="begun")
    assert shown.ename == "KeyboardInterrupt"
    text = debugged(book, "%debug", "p local").stdout
    assert "\n12\n" in text
    assert "----> 4 time.sleep(600)" in text


def test_the_errors_behind_an_error_have_their_frames(book: Kernel) -> None:
    book.run(
        "%%sky --on 0\ntry:\n    share(9)\nexcept ZeroDivisionError as error:\n    raise ValueError('worse') from error"
    )
    text = debugged(book, "%debug", "exceptions", "exceptions 0", "p part").stdout
    assert "0 ZeroDivisionError('division by zero')" in text
    assert "1 ValueError('worse')" in text
    assert "\n9\n" in text


def test_pdb_on_asks_at_once(book: Kernel) -> None:
    book.ok("%pdb on")
    try:
        shown = debugged(book, "%%sky --on 1\nshare(20)", "p part")
        assert shown.ename == "CellFailed"
        assert "\n20\n" in shown.stdout
        assert "\n21\n" in debugged(book, "call(21) @ sky", "p x").stdout
    finally:
        book.ok("%pdb off")


def test_tb_shows_it_again_in_any_mode(book: Kernel) -> None:
    said = failing(book)
    assert book.ok("%tb").traceback == said
    for mode, parts, without in (
        ("Minimal", ["[0-2] ZeroDivisionError: division by zero"], "share"),
        ("Plain", ["line 3", "    kept = share(n + 3)", "in share\n    return n / whole"], "---->"),
        ("Verbose", ["----> 3 kept = share(n + 3)", "in share("], "File"),
        ("Context", ["----> 3 kept = share(n + 3)", "----> 6     return n / whole"], "File"),
    ):
        shown = book.ok(f"%tb {mode}").traceback
        assert all(part in shown for part in parts), shown
        assert without not in shown
        assert "skyward_jupyter" not in shown
        book.ok(f"%xmode {mode}")
        assert all(part in book.ok("%tb").traceback for part in parts)
        assert all(part in failing(book) for part in parts)
    assert failing(book).count("Traceback (most recent call last)") == 1
    shown = book.run("call(4) @ sky").traceback
    assert book.ok("%tb").traceback == shown


def test_the_frames_of_each_node_are_there_for_code(book: Kernel) -> None:
    failing(book)
    book.ok(
        "import sys, traceback\nerror = sys.last_exc\n"
        "inner = {r: list(traceback.walk_tb(e.__traceback__))[-1][0] for r, e in error.errors.items()}"
    )
    said = "((0, 1, 2), {0: 3, 1: 4, 2: 5}, 'share')"
    assert (
        book.ok("error.nodes, {r: f.f_locals['part'] for r, f in inner.items()}, inner[0].f_code.co_name").text == said
    )


def test_nothing_but_the_exception_is_loaded_here(book: Kernel) -> None:
    mine = "class Mine:\n    def __reduce__(self):\n        return (print, ('un' 'pickled',))\nmine = Mine()"
    book.run(f"%%sky --on 0\n{mine}\nshare(1)")
    shown = debugged(book, "%debug", "u", "p mine")
    assert "<Mine>" in shown.stdout
    assert "unpickled" not in shown.stdout


def test_what_a_node_is_told_to_keep_stays_there(book: Kernel) -> None:
    book.ok("%%sky\nimport os\nos.environ['SKYWARD_LOCALS'] = 'off'")
    failing(book)
    text = debugged(book, "%debug", "p part", "ll").stdout
    assert "NameError: name 'part' is not defined" in text
    assert "----> 6     return n / whole" in text
    book.ok("%%sky\ndel os.environ['SKYWARD_LOCALS']")
