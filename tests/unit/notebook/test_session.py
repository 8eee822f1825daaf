"""A session runs cells as a notebook would. Each test file's sessions live in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

SERVER = """
import contextlib, json, sys, types
displayed = []
stub = types.ModuleType("skyward_jupyter.agent.outlet")
stub.__file__ = "outlet.py"
stub.display = lambda data, metadata=None, transient=None, update=False: displayed.append(sorted(data))
stub.clear = lambda wait=False: displayed.append("clear")
stub.interrupts = contextlib.nullcontext()
stub.TaskStream = type("TaskStream", (), {})
sys.modules["skyward_jupyter.agent.outlet"] = stub
from skyward_jupyter.agent.cells import CellRequest, Source
from skyward_jupyter.agent.session import holdings, run_cell
out, sys.stdout = sys.stdout, sys.stderr
for number, line in enumerate(sys.stdin, 1):
    request = json.loads(line)
    body = request.pop("body")
    source = Source.of("%%sky\\n" + body, body, number)
    done = run_cell(CellRequest(source, colours="nocolor", **request))
    error = done.error and {"name": done.error.name, "text": done.error.text, "traceback": done.error.traceback,
                            "interrupted": done.error.interrupted}
    answer = {"shown": done.shown and done.shown.data.get("text/plain"), "outs": done.outs, "value": done.value,
              "refused": done.refused, "bound": sorted(done.bound), "deleted": done.deleted, "error": error,
              "missing": sorted(done.missing), "displayed": displayed[:]}
    if body == "holdings":
        found = holdings()
        answer = {"owned": sorted(found.owned), "sent": dict(found.sent),
                  "reads": {name: sorted(reads) for name, reads in found.functions.items()}}
    displayed.clear()
    print(json.dumps(answer), file=out, flush=True)
"""


class Session:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, body: str, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"body": body, **request}), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made.close()


def test_the_last_expression_shows(session: Session) -> None:
    assert session.run("1 + 1")["shown"] == "2"
    assert session.run("_ + 1")["shown"] == "3"
    assert session.run("1 + 1;")["shown"] is None
    assert session.run("x = 1")["shown"] is None


def test_names_last_and_are_reported(session: Session) -> None:
    done = session.run("a = b = 1\nimport os\ndef f(): pass", binds=["a"])
    assert done["bound"] == ["a", "b", "f", "os"]
    assert session.run("a")["shown"] == "1"
    assert session.run("a = 1", binds=["a"])["bound"] == ["a"]
    assert session.run("del b")["deleted"] == ["b"]


def test_values_are_set_and_brought_back(session: Session) -> None:
    done = session.run("y = x * 2\ny + 1", values={"x": 4}, digests={"x": "d"}, outs=["y"], wants_value=True)
    assert (done["outs"], done["value"]) == ({"y": 8}, 9)
    assert done["bound"] == ["y"]


def test_a_value_that_should_be_there_and_is_not_stops_the_cell(session: Session) -> None:
    session.run("1", values={"v": 1}, digests={"v": "d1"})
    assert session.run("v", expects={"v": "d1"})["shown"] == "1"
    done = session.run("w = 1", expects={"v": "d2"}, keeps=["nothing"])
    assert done["missing"] == ["nothing", "v"]
    assert session.run("w")["error"]["name"] == "NameError"


def test_errors_point_at_lines_as_written(session: Session) -> None:
    done = session.run("\nx = 1\n!true \\\n   -q\n1/0")
    assert "----> 6 1/0" in done["error"]["traceback"]
    assert done["error"]["name"] == "ZeroDivisionError"
    inner = session.run("def f():\n    return 1/0\n\nf()")["error"]["traceback"]
    assert "----> 5 f()" in inner
    assert "----> 3     return 1/0" in inner
    assert "skyward_jupyter" not in inner


@pytest.mark.parametrize(
    ("body", "name", "text"),
    [
        ("def f(:\n  pass", "SyntaxError", "invalid syntax"),
        ("return 1", "SyntaxError", "'return' outside function"),
        ("import sys\nsys.exit(3)", "SystemExit", "3"),
        ("raise ExceptionGroup('g', [ValueError(1)])", "ExceptionGroup", "g (1 sub-exception)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("%nosuch", "UsageError", "Line magic function `%nosuch` not found."),
    ],
)
def test_other_errors(session: Session, body: str, name: str, text: str) -> None:
    error = session.run(body)["error"]
    assert (error["name"], error["text"]) == (name, text)
    assert error["traceback"].strip()
    assert error["interrupted"] is (name == "KeyboardInterrupt")
    assert session.run("1")["shown"] == "1"


def test_ipython_as_usual(session: Session) -> None:
    assert session.run("import asyncio\nawait asyncio.sleep(0, 5)")["shown"] == "5"
    assert session.run("out = !echo hi\nout[0]")["shown"] == "'hi'"
    assert session.run("%%time\n3 + 4")["shown"] == "7"
    assert session.run("from IPython.display import HTML, clear_output\ndisplay(HTML('b'))\nclear_output()")[
        "displayed"
    ] == [["text/html", "text/plain"], "clear"]


def test_a_figure_is_drawn_without_a_screen(session: Session) -> None:
    done = session.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert ["image/png", "text/plain"] in done["displayed"]


def test_what_cannot_leave_the_node_is_named(session: Session) -> None:
    done = session.run("import threading\nbox = {'a': threading.Lock()}\nbox", outs=["box", "nope"], wants_value=True)
    assert "box['a'] (a _thread.lock) cannot leave the node" in done["refused"]["box"]
    assert "no such name" in done["refused"]["nope"]
    assert "the last expression['a']" in done["refused"][""]


def test_nothing_of_ipython_is_left_on_disk(session: Session) -> None:
    assert session.run("get_ipython().history_manager.enabled")["shown"] == "False"
    assert session.run("get_ipython().profile_dir is None")["shown"] == "True"


def test_it_tells_another_kernel_what_it_has() -> None:
    made = Session()
    made.run("def f(): return [g(x) for x in given if x.real]\nown = 1", values={"given": [2]}, digests={"given": "d"})
    told = made.run("holdings", values={"holdings": 0}, digests={"holdings": "e"})
    assert told == {
        "owned": ["f", "own"],
        "sent": {"given": "d", "holdings": "e"},
        "reads": {"f": ["g", "given"]},
    }
    made.close()
