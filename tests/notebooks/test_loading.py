"""Values that end the process which loads them: each fails its own cell, and the kernel goes on."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

SETUP = """
import asyncio, os, concurrent.futures
import skyward as sky
def raised(kind, home):
    if os.getpid() == home:
        return 'here'
    raise kind('no')
class Bad:
    def __init__(self, kind):
        self.kind = kind
    def __reduce__(self):
        return raised, (self.kind, os.getpid())
class Failing(Exception):
    def __init__(self, kind):
        super().__init__('failed')
        self.kind = kind
    def __reduce__(self):
        return raised, (self.kind, 0)
@sky.compute
def make(kind):
    return Bad(kind)
@sky.compute
def count(kind):
    yield 1
    yield Bad(kind)
"""

CELLS = [
    "make({kind}) >> sky",
    "make({kind}) @ sky",
    "(make({kind}) > sky).result()",
    "await sky.pool().run(make({kind}))",
    "list(count({kind}) >> sky)",
    "%%sky -o bad\nbad = Bad({kind})",
    "%%sky\nraise Failing({kind})",
    "d = sky.dict('d-{kind}')\nd['bad'] = Bad({kind})\n(lambda: sky.compute(lambda: d['bad'])() >> sky)()",
    "with sky.Executor() as executor:\n    executor.submit(make.function, {kind}).result()",
]


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_kernel_goes_on(nodes: Kernel, cell: str, kind: str) -> None:
    nodes.ok(SETUP)
    nodes.ok(f"%%sky -i Bad,Failing,raised\n{kind}")
    shown = nodes.run(cell.format(kind=kind))
    assert shown.status == "error"
    assert shown.ename not in ("SystemExit", "KeyboardInterrupt")
    assert nodes.ok("sum(sky.compute(lambda: 1)() @ sky)").text == "3"
    assert nodes.ok("%%sky\n1").text == "[0-2] 1"
