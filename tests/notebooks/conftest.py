"""Kernels for the tests of the notebook room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.kernel import Kernel, kernel_in


def environment(folder: Path) -> dict[str, str]:
    """What a kernel of the tests has as its environment."""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    own = {"IPYTHONDIR": str(folder / "ipython"), "SKYWARD_STATE_DIR": str(folder / "state")}
    return {**os.environ, **own, "PYTHONPATH": paths}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension and no pool."""
    folder = tmp_path_factory.mktemp("kernel")
    with kernel_in(folder, environment(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with a pool of three nodes, whose cells know their node as `n`."""
    folder = tmp_path_factory.mktemp("nodes")
    with kernel_in(folder, environment(folder)) as made:
        made.ok("%sky start --nodes 3")
        made.ok(ABOUT)
        yield made


#: A cell after which `n` is the node's number, whatever happened to its session before.
ABOUT = "%%sky\nimport os, time\nfrom skyward import instance_info\nn = instance_info().node"
