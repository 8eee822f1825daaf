"""Code on a node that asks somebody: it says that a node has no keyboard, and the session goes on."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("input('name? ')", "input('name? ')"),
        ("name = input()", "input()"),
        ("import getpass\ngetpass.getpass()", "getpass('Password: ')"),
        ("from getpass import getpass as ask\nask('PIN')", "getpass('PIN')"),
        ("breakpoint()", "a debugger"),
        ("import pdb; pdb.set_trace()", "a debugger"),
        ("def f():\n    x = 1\n    breakpoint()\n    return x\nf()", "a debugger"),
        ("from IPython.core.debugger import set_trace\nset_trace()", "a debugger"),
        ("import pdb\npdb.run('1 + 1')", "a debugger"),
        ("%pdb on", "a debugger"),
    ],
)
def test_who_asks_hears_that_a_node_has_no_keyboard(nodes: Kernel, body: str, what: str) -> None:
    shown = nodes.run(f"%%sky\n{body}")
    assert shown.ename == "CellFailed"
    assert f"NoKeyboard: a node has no keyboard, so {what} gets no answer" in shown.evalue
    assert "skyward_jupyter" not in shown.traceback
    assert "Pdb)" not in shown.stdout
    assert nodes.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"


def test_a_debugger_after_an_error_hears_it_too(nodes: Kernel) -> None:
    assert nodes.run("%%sky\n1 / 0").ename == "CellFailed"
    assert "no keyboard" in nodes.run("%%sky\n%debug").evalue
    assert "no keyboard" in nodes.run("%%sky\nimport pdb; pdb.pm()").evalue


def test_code_that_can_do_without_an_answer_does(nodes: Kernel) -> None:
    body = "try:\n    answer = input('go on? ')\nexcept EOFError:\n    answer = 'yes'\nanswer"
    assert nodes.ok(f"%%sky\n{body}").text == "[0-2] 'yes'"
    assert nodes.ok("%%sky\nimport sys\nsys.stdin.read()").text == "[0-2] ''"


def test_a_debugger_with_streams_of_its_own_works(nodes: Kernel) -> None:
    body = (
        "import io, pdb\nout = io.StringIO()\n"
        "def f():\n    y = 50 + 5\n    pdb.Pdb(stdin=io.StringIO('p y\\nc\\n'), stdout=out).set_trace()\n    return y\n"
        "f()\nprint(out.getvalue())"
    )
    shown = nodes.ok(f"%%sky\n{body}")
    assert "(Pdb) 55" in shown.stdout


@pytest.mark.parametrize("ask", ["input('x')", "__import__('getpass').getpass()", "breakpoint()"])
def test_a_call_hears_it_as_well(nodes: Kernel, ask: str) -> None:
    shown = nodes.run(f"import skyward as sky\n@sky.compute\ndef ask(): return {ask}\nask() >> sky")
    assert shown.ename == "NoKeyboard"
    assert "a node has no keyboard" in shown.evalue
