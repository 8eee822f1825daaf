"""What cells show: progress bars of many nodes as one, displays, the live view and what it leaves, how much is sent."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.kernel import Kernel, Shown

pytestmark = pytest.mark.kernel

VIEW = "application/vnd.jupyter.widget-view+json"
TQDM = "from tqdm.auto import tqdm\n"


def ok(nodes: Kernel, body: str, options: str = "") -> Shown:
    return nodes.ok(f"%%sky {options}\n{TQDM}{body}")


def test_a_bar_on_every_node_is_one_bar(nodes: Kernel) -> None:
    shown = ok(nodes, "for _ in tqdm(range(50), desc='train'): time.sleep(.002)")
    assert (shown.stdout, shown.stderr) == ("", "")
    assert re.fullmatch(r"\[0-2\] train: 100%\|█{10}\| 150/150 \[00:00, [\d,]+ it/s\]", shown.text)
    assert set(shown.displays[0]) == {"text/plain"}


def test_while_it_goes_on_it_tells_who_is_ahead(nodes: Kernel) -> None:
    body = "with tqdm(total=100) as bar:\n    bar.update(20 * (n + 1))\n    time.sleep(.2)\n    bar.refresh()\n"
    waiting = "    while not os.path.exists('ahead'): time.sleep(.01)\n    bar.update(80 - 20 * n)"
    shown = nodes.start(f"%%sky\n{TQDM}{body}{waiting}")
    nodes.until_text(shown, "slowest [0]")
    assert shown.text.startswith("[0-2]  40%|████      | 120/300 [")
    assert "fastest [2]" in shown.text
    (nodes.folder / "ahead").touch()
    nodes.finish(shown)
    assert shown.text.startswith("[0-2] 100%|██████████| 300/300")


def test_bars_inside_bars_take_one_line_and_go(nodes: Kernel) -> None:
    body = "for e in tqdm(range(3), desc='epochs'):\n    for b in tqdm(range(5), desc=f'{e}', leave=False): pass"
    assert re.fullmatch(r"\[0-2\] epochs: 100%\|█{10}\| 9/9 \[.*\]", ok(nodes, body).text)


def test_bars_that_stay_each_have_a_line(nodes: Kernel) -> None:
    lines = ok(nodes, "for e in range(2):\n    for b in tqdm(range(5), desc=f'epoch {e}'): pass").text.splitlines()
    assert [line.partition("%")[0] for line in lines] == ["[0-2] epoch 0: 100", "[0-2] epoch 1: 100"]


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("for i in tqdm(range(100)):\n    if i == 50 and n == 1: break", "unfinished on [1]"),
        ("bar = tqdm(total=10)\nbar.update(4)\nbar.close()", "unfinished on [0-2]"),
        ("bar = tqdm(total=10)\nbar.update(4)", "unfinished on [0-2]"),
        ("bar = tqdm(total=10)\nbar.update(10)", ""),
    ],
)
def test_how_bars_end(nodes: Kernel, body: str, ending: str) -> None:
    shown = ok(nodes, body)
    assert ending in shown.text
    assert ("unfinished" in shown.text) == bool(ending)
    assert shown.stderr == ""


@pytest.mark.parametrize(
    "body",
    [
        "for i in tqdm(range(100)):\n    if i == 50 and n == 1: raise ValueError",
        "with tqdm(total=100) as bar:\n    bar.update(50 if n == 1 else 100)\n    if n == 1: raise ValueError",
        "def f():\n    for i in tqdm(range(100)):\n        if i == 50 and n == 1: raise ValueError\nf()",
    ],
)
def test_a_bar_whose_loop_failed_says_so(nodes: Kernel, body: str) -> None:
    shown = nodes.run(f"%%sky\n{TQDM}{body}")
    assert shown.ename == "CellFailed"
    assert "failed on [1]" in shown.text


def test_a_bar_lives_on_in_the_next_cell(nodes: Kernel) -> None:
    ok(nodes, "bar = tqdm(total=10, desc='both')\nbar.update(4)")
    shown = ok(nodes, "bar.update(6)\nbar.close()")
    assert re.match(r"\[0-2\] both: 100%\|█{10}\| 30/30", shown.text)
    assert shown.stderr == ""


def test_text_beside_bars_stays_text(nodes: Kernel) -> None:
    shown = ok(nodes, "for i in tqdm(range(3)):\n    tqdm.write(f'step {i}')")
    assert shown.stdout == "[0-2] step 0\n[0-2] step 1\n[0-2] step 2\n"
    assert "9/9" in shown.text


def test_one_node_by_node(nodes: Kernel) -> None:
    lines = ok(nodes, "for _ in tqdm(range(10)): pass", "--group node").text.splitlines()
    assert [line[:9] for line in lines] == ["[0] 100%|", "[1] 100%|", "[2] 100%|"]
    assert ok(nodes, "for _ in tqdm(range(10)): pass", "--on 1").text.startswith("100%|")


def test_a_bar_without_end_and_one_in_bytes(nodes: Kernel) -> None:
    assert "[0-2] 15 it [" in ok(nodes, "for _ in tqdm(iter(range(5))): pass").text
    body = "bar = tqdm(total=2**20, unit='B', unit_scale=True, unit_divisor=1024)\nbar.update(2**19)"
    assert "1.50M/3.00M" in ok(nodes, body).text


def test_tqdm_of_notebooks_is_a_bar_like_others(nodes: Kernel) -> None:
    shown = ok(nodes, "from tqdm.notebook import tqdm as bars, trange\nfor _ in bars(trange(5), display=True): pass")
    assert [line[:10] for line in shown.text.splitlines()] == ["[0-2] 100%", "[0-2] 100%"]
    assert shown.stderr == ""


def test_bars_on_other_files_and_by_other_means_are_left_alone(nodes: Kernel) -> None:
    shown = ok(
        nodes, "import io\nfile = io.StringIO()\nfor _ in tqdm(range(5), file=file): pass\n'5/5' in file.getvalue()"
    )
    assert shown.text == "[0-2] True"


def test_lines_that_redraw_themselves_are_one_where_nodes_have_the_same(nodes: Kernel) -> None:
    drawn = nodes.ok("%%sky\nimport sys\nfor i in (1, 2): sys.stderr.write(f'\\r{i}/2 by hand')")
    assert drawn.text == "[0-2] 2/2 by hand"
    ended = nodes.ok("%%sky\nfor i in range(1, 9): print(f'step {i - (n == 1) * (i == 8)}/8', end='\\r')")
    assert ended.text.splitlines() == ["[0,2] step 8/8", "[1] step 7/8"]
    apart = nodes.ok("%%sky --group node\nfor i in (1, 2): print(f'{i}/2 by hand', end='\\r')")
    assert apart.text.splitlines() == ["[0] 2/2 by hand", "[1] 2/2 by hand", "[2] 2/2 by hand"]
    assert drawn.stderr == ended.stdout == apart.stdout == ""


def test_a_thousand_bars_are_bounded(nodes: Kernel) -> None:
    shown = ok(nodes, "for i in range(1000):\n    for _ in tqdm(range(2), desc=f'{i}'): pass")
    lines = shown.text.splitlines()
    assert len(lines) < 200
    assert lines[-1].startswith("[0-2] 999: 100%")


def test_a_widget_of_a_node_shows_as_text(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky\nimport ipywidgets\ndisplay(ipywidgets.IntSlider(3))\nipywidgets.IntText(4)")
    assert all(VIEW not in data for data in shown.displays)
    assert "IntSlider(value=3)" in shown.text
    assert "[0-2] IntText(value=4)" in shown.text


def test_rich_values_of_many_kinds(nodes: Kernel) -> None:
    frame = nodes.ok("%%sky\nimport pandas\npandas.DataFrame({'a': [1, 2]})")
    assert frame.displays[0]["text/plain"] == "[0-2]"
    assert "<table" in frame.displays[1]["text/html"]
    figure = nodes.ok("%%sky --group time\nimport matplotlib.pyplot as plt\nplt.plot([1, n]);")
    assert [min(data) for data in figure.displays[1::2]] == ["image/png"] * 3
    assert sorted(data["text/plain"] for data in figure.displays[::2]) == ["[0]", "[1]", "[2]"]


def test_of_many_updates_of_a_display_the_last_is_shown(nodes: Kernel) -> None:
    body = "h = display('begun', display_id='many')\nfor i in range(2000): h.update(i)"
    shown = nodes.ok(f"%%sky\nfrom IPython.display import display\n{body}")
    assert [data["text/plain"] for data in shown.displays if data["text/plain"][0] != "["] == ["1999"] * 3
    assert len(shown.sent) < 1000


# -- how much is sent: a notebook server lets 1,000 messages and 1 MB of text a second through, over three seconds

CHATTY = {
    "lines": "for i in range(30_000): print('line', i, 'of', n, 'x' * 60)",
    "long lines": "for i in range(300): print(n, 'x' * 50_000)",
    "the same everywhere": "for i in range(30_000): print('line', i, 'x' * 60)",
    "displays": "from IPython.display import HTML, display\nfor i in range(1500): display(HTML(f'{n} {i}'))",
    "both streams": "import sys\nfor i in range(10_000): print(i, n, file=(sys.stdout, sys.stderr)[i % 2])",
    "bars": "from tqdm import tqdm\nfor i in range(3000):\n    for j in tqdm(range(2)): pass",
    "cleared again and again": "from IPython.display import clear_output as c\nfor i in range(3000): c(); print(i)",
}


@pytest.mark.parametrize(
    ("what", "options"),
    [
        *((what, options) for what in CHATTY for options in ("", "--on 1")),
        *(("both streams", f"--group {how}") for how in ("node", "time")),
    ],
)
def test_no_cell_sends_more_than_a_server_lets_through(nodes: Kernel, what: str, options: str) -> None:
    shown = nodes.ok(f"%%sky {options}\n{CHATTY[what]}")
    messages, streamed = shown.busiest()
    assert messages < 3_000
    assert streamed < 3_000_000


def test_what_was_left_out_is_counted_and_the_end_is_there(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --on 1\nfor i in range(100_000): print('line', i, 'x' * 60)\nprint('the end')")
    assert shown.stdout.endswith("the end\n")
    hidden = sum(
        int(count.replace(",", ""))
        for count in re.findall(r"… ([\d,]+) lines left out here; %sky logs r\d+ shows them\n", shown.stderr)
    )
    assert hidden > 40_000
    # a piece that is cut within a line counts as one more
    assert 100_001 <= hidden + shown.stdout.count("\n") < 100_101
    nodes.ok("import skyward as sky\nlog = sky.last_run().log")
    assert nodes.ok("len(log.tail(10**6)), log.tail(2)[0].text[:10], log.tail(1)[0].text").text == (
        "(100000, 'line 99999', 'the end')"
    )


@pytest.mark.parametrize(
    ("how", "line", "bar"),
    [("same", "[0-2] all", "[0-2] bars"), ("time", "[0] all", "[0-2] bars"), ("node", "  all", "[0] bars")],
)
def test_groups_hold_with_bars_displays_and_errors(nodes: Kernel, how: str, line: str, bar: str) -> None:
    code = (
        f"%%sky --group {how}\n{TQDM}from IPython.display import HTML\nprint('all')\n"
        "for _ in tqdm(range(3), desc='bars'): pass\ndisplay(HTML(f'hello {n}'))\n"
        "if n == 1: raise ValueError('only here')"
    )
    shown = nodes.run(code)
    assert shown.ename == "CellFailed"
    assert "only here (on node 1 of 3)" in shown.evalue
    pages = [data.get("text/html", "") for data in shown.displays]
    assert sorted(re.findall("hello .", "".join(pages))) == ["hello 0", "hello 1", "hello 2"]
    assert any(page.startswith("hello") for page in pages) == (how != "same")
    lines = f"{shown.stdout}\n{shown.text}".splitlines()
    assert line in lines
    assert any(one.startswith(bar) for one in lines)


def test_by_node_displays_and_lines_stay_together_in_node_order(nodes: Kernel) -> None:
    shown = nodes.ok(
        "%%sky --group node\nfrom IPython.display import HTML\ntime.sleep(.1 * (2 - n))\nprint('before', n)\n"
        "handle = display(HTML(f'<b>{n}</b>'), display_id='b')\nprint('after', n)\nhandle.update(HTML(f'<i>{n}</i>'))"
    )
    assert shown.stdout == ""
    assert [data.get("text/html") or data["text/plain"] for data in shown.displays] == [
        part for n in range(3) for part in (f"[{n}]\n  before {n}", f"<i>{n}</i>", f"  after {n}")
    ]
    nodes.ok("%%sky\nhandle.update(HTML(f'<u>{n}</u>'))")
    assert [data["text/html"] for data in shown.displays if "text/html" in data] == ["<u>0</u>", "<u>1</u>", "<u>2</u>"]
