"""``%sky attach`` and ``%sky pools``, as they are typed."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%sky attach nowhere", "there is no pool 'nowhere' to attach to; there is none"),
        ("%sky attach", "no kernel left a pool to attach to"),
        ("%sky attach a b", "%sky attach takes one pool at most: %sky attach NAME"),
        ("%sky attach --forse", "%sky attach has no option --forse; did you mean --force?"),
        ("%sky pools all", "%sky pools takes no word 'all'; did you mean %sky pools --all?"),
        ("%sky pools big", "%sky pools takes no word 'big'; for one pool use %sky status NAME"),
    ],
)
def test_what_cannot_be_attached_to_is_said_in_a_sentence(kernel: Kernel, line: str, sentence: str) -> None:
    shown = kernel.run(line)
    assert shown.evalue.startswith(sentence)
    assert shown.status == "error"


def test_the_own_pool_becomes_the_active_one(kernel: Kernel) -> None:
    kernel.ok("%sky start --nodes 1 --name one\n%sky start --nodes 1 --name two")
    assert "two   local     1      ready" in kernel.ok("%sky pools").stdout
    kernel.ok("%sky attach one")
    assert kernel.ok("import skyward as sky\nprint(sky.pool().name)").stdout == "one\n"
    kernel.ok("%sky stop one\n%sky stop two")
    assert kernel.ok("%sky pools --all").stdout == "no pool runs; start one with %sky start --nodes 4\n"


def test_a_pool_that_was_left_is_listed_and_completed(kernel: Kernel) -> None:
    kernel.ok("%sky start --nodes 2 --name left")
    kernel.ok("%%sky\nx = 41")
    kernel.restart()
    told = kernel.ok("%load_ext skyward").text
    assert told.startswith("pool left (2 nodes) of this kernel before its restart is still there: %sky attach left")
    assert "nobody, ends in" in kernel.ok("%sky pools").stdout
    assert "left" in kernel.complete("%sky attach ")
    assert "--force" in kernel.complete("%sky attach --")
    assert "attach" in kernel.complete("%sky at")
    kernel.ok("%sky attach left")
    assert kernel.ok("%%sky\nx + 1").text == "[0-1] 42"
    kernel.ok("%sky stop")


def test_a_pool_of_the_same_name_replaces_the_one_before_the_restart(kernel: Kernel) -> None:
    kernel.ok("%%sky --nodes 2\nx = 1")
    kernel.restart()
    kernel.ok("%load_ext skyward")
    assert kernel.ok("%%sky --nodes 2\n'x' in globals()").text.startswith("[0-1] False")
    assert len(kernel.ok("%sky pools").stdout.splitlines()) == 2
    kernel.ok("%sky stop")
