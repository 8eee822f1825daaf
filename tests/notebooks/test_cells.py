"""%%sky cells in a real kernel: values, names, sessions, what IPython can do."""

from __future__ import annotations

import os
import re

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


def test_the_first_cell_starts_a_pool(kernel: Kernel) -> None:
    refused = kernel.run("%%sky\n1")
    assert refused.ename == "NoPool"
    assert "--nodes 4" in refused.evalue
    assert kernel.ok("%%sky --nodes 2\n1 + 1").text.startswith("[0-1] 2\nthe name pool now stands for")
    assert kernel.ok("%%sky --nodes 2\n'again'").text == "[0-1] 'again'"
    smaller = kernel.run("%%sky --nodes 5\nprint('ran')")
    assert smaller.ename == "UsageError"
    assert "has 2 nodes" in smaller.evalue
    assert "nothing was run" in smaller.evalue
    assert smaller.stdout == ""


def test_a_larger_pool_runs_on_its_first_nodes(nodes: Kernel) -> None:
    assert nodes.ok("%%sky --nodes 2\nn").text == "[0] 0\n[1] 1"


def test_values_show_by_node_and_equal_ones_once(nodes: Kernel) -> None:
    assert nodes.ok("%%sky\nn").text == "[0] 0\n[1] 1\n[2] 2"
    assert nodes.ok("%%sky\nn > 0").text == "[0] False\n[1-2] True"
    assert nodes.ok("%%sky\nn;").displays == []
    assert nodes.ok("%%sky\n'a\\nb' and print").text.startswith("[0-2] <function print")


def test_output_is_labelled(nodes: Kernel) -> None:
    assert nodes.ok("%%sky\nprint('all')\nprint(n)").stdout == "[0-2] all\n[0] 0\n[1] 1\n[2] 2\n"
    assert nodes.ok("%%sky --on 1\nprint('one')\n5").text == "5"
    assert nodes.ok("%%sky --quiet\nprint('none')\n5").stdout == ""


def test_output_streams_while_the_cell_runs(nodes: Kernel) -> None:
    waiting = "while not pathlib.Path('go').exists(): time.sleep(.01)"
    shown = nodes.start(f"%%sky\nimport pathlib\nprint('begun')\n{waiting}")
    nodes.until(shown, "begun")
    assert shown.status == ""
    (nodes.folder / "go").touch()
    assert nodes.finish(shown).status == "ok"


def test_which_nodes(nodes: Kernel) -> None:
    assert nodes.ok("%%sky --on 0,2\nn").text == "[0] 0\n[2] 2"
    assert nodes.ok("%%sky --on head\nn").text == "0"
    assert nodes.ok("%%sky --on any\nn").text in "012"


def test_names_go_in_and_come_out(nodes: Kernel) -> None:
    nodes.ok("base = [10, 20]\ndef double(x): return 2 * x")
    nodes.ok("%%sky -o total,node\ntotal = double(sum(base)) + n\nnode = n")
    assert nodes.ok("total, node").text == "([60, 61, 62], [0, 1, 2])"
    nodes.ok("%%sky --on 1 -o total --into last\ntotal = 5\n'v'")
    assert nodes.ok("total, last").text == "(5, 'v')"
    nodes.ok("%%sky --into lasts\nn * 10")
    assert nodes.ok("lasts").text == "[0, 10, 20]"


def test_a_changed_value_goes_again_and_an_own_one_does_not(nodes: Kernel) -> None:
    nodes.ok("rate = 1\ndef f(): return rate")
    assert nodes.ok("%%sky\nrate, f()").text == "[0-2] (1, 1)"
    nodes.ok("rate = 2")
    assert nodes.ok("%%sky\nrate, f()").text == "[0-2] (2, 2)"
    nodes.ok("%%sky\nrate = 100")
    own = nodes.ok("%%sky\nrate")
    assert own.text == "[0-2] 100"
    assert "-i rate" in own.stderr
    assert nodes.ok("%%sky -i rate\nrate").text == "[0-2] 2"


def test_classes_of_the_notebook_stay_themselves(nodes: Kernel) -> None:
    nodes.ok("class Point:\n    def __init__(self, x): self.x = x\np = Point(3)")
    nodes.ok("%%sky --on 0 -o q\nq = Point(p.x + 1)\nassert isinstance(p, Point)")
    assert nodes.ok("isinstance(q, Point), q.x").text == "(True, 4)"


def test_an_expression_on_every_node(nodes: Kernel) -> None:
    assert nodes.ok("%sky n * 2").text == "[0] 0\n[1] 2\n[2] 4"
    assert nodes.ok("%sky 1 + 1").text == "[0-2] 2"
    assert nodes.ok("values = %sky n\nvalues == [0, 1, 2]").text == "True"
    assert nodes.ok("%sky {1: n}").text == "[0] {1: 0}\n[1] {1: 1}\n[2] {1: 2}"


def test_ipython_works_there(nodes: Kernel) -> None:
    assert nodes.ok("%%sky\n!echo from $n").stdout == "[0] from 0\n[1] from 1\n[2] from 2\n"
    assert "loop" in nodes.ok("%%sky\n%timeit -n 2 -r 1 n").stdout
    assert nodes.ok("%%sky\nimport asyncio\nawait asyncio.sleep(0, 'awaited')").text == "[0-2] 'awaited'"
    assert "Wall time" in nodes.ok("%%sky\n%%time\n1").stdout


def test_rich_display(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky\nfrom IPython.display import HTML, display\ndisplay(HTML('<i>x</i>'))\nHTML(f'<b>{n}</b>')")
    pages = [data.get("text/html", "") for data in shown.displays]
    assert pages[1] == "<i>x</i>"
    assert re.findall("<b>.</b>", pages[2]) == ["<b>0</b>", "<b>1</b>", "<b>2</b>"]
    html = "<IPython.core.display.HTML object>"
    assert [data["text/plain"] for data in shown.displays] == ["[0-2]", html, f"[0-2] {html}"]


def test_a_figure_drawn_on_a_node_shows_here(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --on 0\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert [set(data) for data in shown.displays] == [{"text/plain", "image/png"}]


def test_a_display_is_updated_in_place(nodes: Kernel) -> None:
    code = "from IPython.display import display\nh = display(f'a{n}', display_id='d')"
    nodes.ok(f"%%sky\n{code}")
    shown = nodes.ok(f"%%sky\n{code}\nh.update(f'b{{n}}')")
    assert [data["text/plain"] for data in shown.displays if "'" in data["text/plain"]] == ["'b0'", "'b1'", "'b2'"]


def test_groups(nodes: Kernel) -> None:
    assert nodes.ok("%%sky --group time\nprint('x')").stdout.count("x") == 3
    assert nodes.ok("%%sky --group node\nprint(n)").text == "[0]\n  0\n[1]\n  1\n[2]\n  2"


def test_under_time_and_in_a_function_it_blocks(nodes: Kernel) -> None:
    timed = nodes.ok("%%time\n%%sky\nprint(n)")
    assert "[2] 2" in timed.stdout
    assert "Wall time" in timed.stdout
    inside = "def f():\n    get_ipython().run_cell_magic('sky', '', 'print(n)')\nf()"
    assert "[1] 1" in nodes.ok(inside).stdout


def test_modules_that_are_edited_are_loaded_again(nodes: Kernel) -> None:
    module = nodes.folder / "edited.py"
    module.write_text("def answer(): return 1\n")
    assert nodes.ok("%%sky\nfrom edited import answer\nanswer()").text == "[0-2] 1"
    module.write_text("def answer(): return 2\n")
    os.utime(module, (2**31, 2**31))
    assert nodes.ok("%%sky\nanswer()").text == "[0-2] 2"


def test_restart_and_run_all(kernel: Kernel) -> None:
    cells = ["%load_ext skyward", "x = 3", "%%sky --nodes 2 -o y\ny = x + 1", "y"]
    for _ in range(2):
        kernel.restart()
        assert [kernel.ok(cell).text for cell in cells][-1] == "[4, 4]"


def test_two_pools(kernel: Kernel) -> None:
    kernel.restart()
    kernel.ok("%load_ext skyward")
    kernel.ok("%sky start --nodes 2 --name small")
    kernel.ok("%sky start --nodes 3 --name big")
    assert kernel.ok("%%sky --pool small\n1").text == "[0-1] 1"
    assert kernel.ok("%%sky\n1").text == "[0-2] 1"
    head, small, big = kernel.ok("%sky pools").stdout.splitlines()[:3]
    assert head.split() == ["name", "provider", "nodes", "state", "age", "cost", "held", "by"]
    assert (small.split()[:4], small[-11:]) == (["small", "local", "2", "ready"], "this kernel")
    assert (big.split()[:4], big[-19:]) == (["big", "local", "3", "ready"], "this kernel, active")
    wrong = kernel.run("%%sky --pool smal\n1")
    assert wrong.evalue == "there is no pool 'smal'; did you mean small?"
    kernel.ok("%sky stop big")
    assert kernel.ok("%%sky\n1").text == "[0-1] 1"
    kernel.ok("%sky scale 3")
    assert kernel.ok("%%sky\n1").text == "[0-2] 1"
    assert "small: ready, 3 nodes" in kernel.ok("%sky status").stdout
    kernel.ok("%sky stop")
    assert kernel.run("%sky").ename == "NoPool"
