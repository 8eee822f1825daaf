"""Elastic pools by magics."""

from __future__ import annotations

from tests.notebooks.kernel import Kernel


def test_a_cell_makes_an_elastic_pool_grow(kernel: Kernel) -> None:
    kernel.restart()
    kernel.ok("%load_ext skyward")
    assert kernel.ok("%sky start --nodes 2-4 --name lab").stdout.startswith("pool lab: 2 nodes of 2 to 4 ready in ")
    assert kernel.ok("%%sky\n1").text == "[0-1] 1"
    assert kernel.ok("%%sky --nodes 3\n1").text == "[0-2] 1"
    assert "pool lab: ready, 3 nodes of 2 to 4" in kernel.ok("%sky status").stdout
    wrong = kernel.run("%%sky --nodes 5\nran = True")
    assert wrong.ename == "UsageError"
    assert wrong.evalue == (
        "--nodes 5: pool lab grows to 4 nodes at most; nothing was run: ask for fewer nodes, or start a pool that may "
        "have more"
    )
    assert kernel.run("%sky ran").ename == "CellFailed"
    assert kernel.ok("%%sky --nodes 2\n1").text == "[0-1] 1"
    kernel.ok("%sky scale 4")
    assert kernel.ok("%%sky\n1").text == "[0-3] 1"
    for size, bounds in (("5", "has 2 to 4"), ("1", "has 2 to 4"), ("0", "say how many nodes")):
        assert bounds in kernel.run(f"%sky scale {size}").evalue
    assert kernel.ok("%sky start --nodes 2-4").stdout == "pool lab already runs, with 4 nodes of 2 to 4\n"
    assert "use %sky stop first" in kernel.run("%sky start --nodes 2-5").evalue
    kernel.ok("%sky stop")


def test_a_cell_brings_the_first_node(kernel: Kernel) -> None:
    kernel.restart()
    kernel.ok("%load_ext skyward")
    assert kernel.ok("%sky start --nodes 0-2").stdout.startswith(
        f"pool {kernel.folder.name}: 0 nodes of 0 to 2 ready in "
    )
    assert kernel.ok("%%sky --into x\n41 + 1").text == "42"
    assert kernel.ok("x").text == "[42]"
    kernel.ok("%sky scale 0")
    _, row = kernel.ok("%sky pools").stdout.splitlines()
    assert row.startswith(f"{kernel.folder.name}  local     0 of 0 to 2  ready  ")
    assert row.endswith("  free  this kernel, active")
    kernel.ok("%sky stop")
