"""Which file a worker of several gets next."""

from __future__ import annotations

from tests.handing import following

COMPUTES, OTHER, WAITS = "tests/notebooks/test_cells.py", "tests/browser/test_run_lab.py", "tests/faults/test_link.py"


def test_files_go_in_their_order_while_few_compute() -> None:
    assert following([COMPUTES, WAITS], [[OTHER], [OTHER], []]) == COMPUTES
    assert following([COMPUTES, WAITS], [[OTHER], [OTHER], ["tests/integration/ssh/test_pools.py"]]) == COMPUTES
    assert following([WAITS, COMPUTES], []) == WAITS


def test_whoever_is_one_too_many_to_compute_waits() -> None:
    busy = [[OTHER], [COMPUTES], [WAITS, OTHER]]
    assert following([COMPUTES, OTHER, WAITS], busy) == WAITS
    assert following([COMPUTES, OTHER], busy) is None


def test_unit_tests_are_first_for_all() -> None:
    units = [["tests/unit/test_order.py"]] * 4
    assert following(["tests/unit/test_handing.py", WAITS], units) == "tests/unit/test_handing.py"
