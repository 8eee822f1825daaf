"""What a pool costs, in the words of the magics."""

from __future__ import annotations

from tests.notebooks.kernel import Kernel

CHARGE = """
from skyward_jupyter.actors import assembly

class Charging(assembly.LocalProvider):
    def hourly_cost(self, rank):
        return 1.5

assembly.LocalProvider = Charging
"""


def test_cost_is_shown_when_there_is_some(kernel: Kernel) -> None:
    kernel.restart()
    kernel.ok("%load_ext skyward")
    kernel.ok("%sky start --nodes 2 --name free")
    assert kernel.ok("%sky status").stdout.startswith("pool free: ready, 2 nodes\n")
    assert "$" not in kernel.ok("%sky").displays[0]["text/plain"]
    kernel.ok("%sky stop")
    kernel.ok(CHARGE)
    kernel.ok("%sky start --nodes 2 --name dear")
    assert kernel.ok("%sky status").stdout.startswith("pool dear: ready, 2 nodes, $3.00/h, $0.0")
    assert "  $3.00/h, $0.0" in kernel.ok("%sky pools").stdout
    shown = kernel.ok("%sky")
    assert "$3.00/h, $0.0" in shown.displays[0]["text/plain"]
    kernel.ok("%%sky\nprint('here')")
    kernel.ok("%sky stop")
    assert "application/vnd.jupyter.widget-view+json" not in shown.displays[0]
    assert "$0.00/h, $0.0" in shown.displays[0]["text/plain"]
    assert "data:image/svg+xml;base64," in shown.displays[0]["text/html"]
    kernel.restart()
