"""Errors in a real JupyterLab: what Run All makes of them, and what is shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from skyward_jupyter.widgets.view import built
from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not built("dashboard"), reason="the widgets are not built")]

CALL = "@sky.compute\ndef train(n):\n    left = n - 3\n    return 12 / left"


def test_run_all_goes_on_after_a_cell_that_keeps_going(lab: Lab, page: Page) -> None:
    cells = [
        "%load_ext skyward\nimport skyward as sky",
        "%%sky --nodes 2 --keep-going -o share\nshare = 1 / sky.instance_info().node",
        "share",
        f"{CALL}\n[str(r) for r in sky.gather(*map(train, range(2, 5)), return_exceptions=True) >> sky]",
        "sky.gather(*map(train, (2, 4, 5, 3))) >> sky",  # the last comes behind another on its node
        "print('never run')",
    ]
    notebook = lab.open_notebook(page, cells, name="errors")
    notebook.run_all()
    assert "error" in [output["output_type"] for output in notebook.outputs(1)]
    assert "[0] ZeroDivisionError: " in notebook.text(1)
    assert "the cell failed on node 0; --keep-going: the cells below run all the same" in notebook.text(1)
    assert "[ZeroDivisionError(" in notebook.text(2)
    assert "['-12.0', 'division by zero', '12.0']" in notebook.text(3)
    shown = notebook.text(4)
    assert "raised by train(3) on node" in shown
    assert "4     return 12 / left" in shown
    assert ".gathered" in shown
    assert "skyward_jupyter" not in shown
    assert not notebook.outputs(5)
    notebook.evaluate("sky.pool().stop()")
