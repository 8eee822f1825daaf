"""Interrupts in the instants around a cell's code: the cell has them, or nobody, and every request is answered."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

ENDLESS = "print('begun', flush=True)\nwhile True: time.sleep(0.01)"

#: `struck` has the kernel interrupted, once, when it is just about to call the attribute of `owner`.
STRUCK = """
import os, signal, time

def struck(owner, name):
    real = getattr(owner, name)
    def once(*args, **options):
        setattr(owner, name, real)
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **options)
    setattr(owner, name, once)
"""

CALLBACK = """
def callback(*_):
    get_ipython().events.unregister({event!r}, callback)
    {body}
get_ipython().events.register({event!r}, callback)
"""


@pytest.fixture(scope="module", autouse=True)
def _struck(kernel: Kernel, nodes: Kernel) -> None:
    for made in (kernel, nodes):
        made.ok(STRUCK)


def _still_answers(kernel: Kernel) -> None:
    assert kernel.ok("6 * 7").text == "42"


def test_a_callback_before_the_cell_does_not_swallow_it(kernel: Kernel) -> None:
    kernel.ok(CALLBACK.format(event="pre_run_cell", body="os.kill(os.getpid(), signal.SIGINT)"))
    shown = kernel.run(ENDLESS)
    assert (shown.status, shown.ename) == ("error", "KeyboardInterrupt")
    assert "Error in callback" not in shown.stdout
    _still_answers(kernel)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("get_ipython().history_manager", "store_inputs"),
        ("get_ipython().compile", "cache"),
        ("get_ipython()", "transform_ast"),
    ],
)
def test_between_callbacks_and_code_it_waits_for_the_code(kernel: Kernel, owner: str, name: str) -> None:
    kernel.ok(f"struck({owner}, {name!r})")
    shown = kernel.run(ENDLESS)
    assert (shown.status, shown.ename) == ("error", "KeyboardInterrupt")
    assert "while True: time.sleep(0.01)" in shown.traceback
    _still_answers(kernel)


def test_after_the_code_it_is_dropped(kernel: Kernel) -> None:
    shown = kernel.run("struck(get_ipython().history_manager, 'store_output')\n'value'")
    assert (shown.status, shown.text) == ("ok", "'value'")
    _still_answers(kernel)


def test_the_garbage_collector_does_not_swallow_it(kernel: Kernel) -> None:
    shown = kernel.run(
        "class Last:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT)\n"
        f"last = Last()\ndel last\n{ENDLESS}"
    )
    assert (shown.status, shown.ename, shown.stderr) == ("error", "KeyboardInterrupt", "")
    shown = kernel.run("class Last:\n    def __del__(self):\n        1 / 0\nlast = Last()\ndel last")
    assert "ZeroDivisionError" in shown.stderr, "other errors are told as ever"


@pytest.mark.parametrize("event", ["pre_run_cell", "post_run_cell"])
def test_a_callback_without_end_is_ended(kernel: Kernel, event: str) -> None:
    body = "print('lingers', flush=True)\n    while True: time.sleep(0.01)"
    setup = CALLBACK.format(event=event, body=body)
    if event == "pre_run_cell":
        kernel.ok(setup)
        setup = "'value'"
    shown = kernel.run(setup, interrupt_at="lingers")
    assert "Error in callback" in shown.stdout
    assert "KeyboardInterrupt" in shown.traceback
    assert shown.seconds < 30
    _still_answers(kernel)


def test_a_call_that_was_just_begun_does_not_run_on_for_nobody(nodes: Kernel) -> None:
    nodes.ok(
        "import skyward as sky\nfrom skyward_jupyter.runtime import bridge\n"
        "@sky.compute\ndef loop():\n    while True: time.sleep(0.01)\n"
        "@sky.compute\ndef me():\n    return sky.instance_info().node"
    )
    for name in ("suspends", "Crossing", "outside", "_briefly", "_meanwhile"):
        shown = nodes.run(f"struck(bridge, {name!r})\nloop() >> sky")
        assert (shown.status, shown.ename, shown.stderr) == ("error", "KeyboardInterrupt", "")
        assert nodes.ok("me() @ sky").text == "[0, 1, 2]"
