"""The pool at hand in a real JupyterLab: named after the notebook, told of while it matters, and not in the file."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import Page, expect

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

RESTART = "() => window.notebook.sessionContext.session.kernel.restart()"
GONE = "() => !JSON.stringify(window.notebook.content.widgets[0].model.outputs.toJSON()).includes('still there')"
RUN = "index => { window.notebook.content.activeCellIndex = index; }"


def restart(notebook: Notebook) -> None:
    notebook.page.evaluate(RESTART)
    assert notebook.evaluate("print('up')") == "up\n"


def run(notebook: Notebook, index: int) -> None:
    notebook.page.evaluate(RUN, index)
    notebook.command("notebook:run-cell")


def saved(lab: Lab, notebook: Notebook) -> list[list[dict[str, object]]]:
    notebook.command("docmanager:save")
    cells = nbformat.read(lab.root / notebook.path, as_version=4).cells
    return [[dict(output) for output in cell.outputs] for cell in cells]


def test_what_is_left_is_told_below_the_cell_and_is_not_in_the_file(lab: Lab, page: Page) -> None:
    cells = [
        "# first\n%load_ext skyward\nimport skyward as sky, math\nrates = [1, 2]",
        "%%sky --nodes 2\nkept = 41",
        "%sky pools",
        "%sky attach",
    ]
    notebook = lab.open_notebook(page, cells, name="01 Tell me")
    for index in range(3):
        run(notebook, index)
    assert "the name pool now stands for pool tell-me" in notebook.text(1)
    assert "this notebook, 01 Tell me.ipynb, active" in notebook.text(2)
    restart(notebook)
    run(notebook, 0)
    notebook.wait_text(0, "pool tell-me (2 nodes) of 01 Tell me.ipynb is still there: %sky attach tell-me")
    run(notebook, 3)
    notebook.wait_text(3, "pool tell-me: 2 nodes, attached")
    page.wait_for_function("() => window.notebook.content.widgets[0].model.outputs.length === 0")
    assert saved(lab, notebook)[0] == []
    assert notebook.evaluate("print(pool.name)\npool.stop()") == "tell-me\n"


def test_restart_and_run_all_twice_gives_the_same_file(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(page, ["%load_ext skyward", "%%sky --nodes 2\n1 + 1", "pool.size"], name="twice")
    notebook.run_all()
    seen = [saved(lab, notebook)]
    for _ in range(2):
        restart(notebook)
        notebook.run_all()
        seen.append(saved(lab, notebook))
    assert seen[0][0] == []
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    assert notebook.evaluate("print(pool.name)\npool.stop()") == "twice\n"


def test_what_the_cell_shows_itself_stays(lab: Lab, page: Page) -> None:
    notebook = lab.open_notebook(page, ["%load_ext skyward\nprint('mine')", "%%sky --nodes 1\n1"], name="mixed")
    notebook.run_all()
    restart(notebook)
    run(notebook, 0)
    notebook.wait_text(0, "pool mixed (1 node) of mixed.ipynb is still there")
    notebook.evaluate("1")
    page.wait_for_function(GONE)
    assert [output for output in saved(lab, notebook)[0] if output.get("data") != {}] == [
        {"output_type": "stream", "name": "stdout", "text": "mine\n"}
    ]
    assert notebook.text(0) == "mine\n"
    notebook.evaluate("import skyward\nskyward.pools() and skyward.pool().stop()")


def test_each_dashboard_of_several_pools_says_which_one_is_active(lab: Lab, page: Page) -> None:
    cells = ["%load_ext skyward", "%sky start --nodes 1 --name one\npool", "%sky start --nodes 2 --name two", "pool"]
    notebook = lab.open_notebook(page, [*cells, "%sky use one", "pool.name"], name="several")
    run(notebook, 0)
    run(notebook, 1)
    one, two = (notebook.cell(index).locator(".skyward-dashboard") for index in (1, 3))
    expect(one.get_by_text("Ready", exact=True)).to_be_visible()
    expect(one.get_by_text("active pool")).to_have_count(0)
    run(notebook, 2)
    run(notebook, 3)
    expect(one.get_by_text("not the active pool", exact=True)).to_be_visible()
    expect(two.get_by_text("active pool", exact=True)).to_be_visible()
    assert "ready, active pool, local" in str(notebook.outputs(3))
    run(notebook, 4)
    expect(one.get_by_text("active pool", exact=True)).to_be_visible()
    expect(two.get_by_text("not the active pool", exact=True)).to_be_visible()
    run(notebook, 5)
    assert "'one'" in notebook.text(5)
    notebook.evaluate("pool.stop()")
    expect(two.get_by_text("active pool")).to_have_count(0)
    notebook.evaluate("import skyward\nskyward.pool().stop()")
