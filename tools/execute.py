"""Execute a notebook in a fresh kernel of this very Python.

The kernel is never one that a user's kernel specs, IPython profile or start-up files have changed.
Widget state is not stored: what a saved notebook shows is the text and the static HTML of each output.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.kernels import reached_in

type CellHook = Callable[[int, float | None], None]
"""Called with a code cell's position and None as it starts, and with its seconds when it ended."""


def execute(source: Path, *, timeout: float = 300, on_cell: CellHook | None = None) -> Any:
    """Return the notebook at `source` with the outputs of a fresh run, cells executed in order.

    Parameters
    ----------
    source
        The notebook; its folder is the kernel's working directory.
    timeout
        Seconds that one cell may take.
    on_cell
        Told of each code cell as it starts and ends.

    Raises
    ------
    Stopped
        A cell raised. Its ``notebook`` attribute holds the outputs up to there.
    """
    notebook = nbformat.read(source, as_version=4)
    began = 0.0

    def start(cell: Any, cell_index: int) -> None:
        nonlocal began
        began = perf_counter()
        if on_cell is not None:
            on_cell(cell_index, None)

    def end(cell: Any, cell_index: int, **_: Any) -> None:
        if on_cell is not None and cell.cell_type == "code":
            on_cell(cell_index, perf_counter() - began)

    with tempfile.TemporaryDirectory(prefix="skyward-profile-") as profile:
        # No folders to look in: what is left is the kernel of the Python that runs this.
        manager = reached_in(AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])), profile)
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=timeout,
            store_widget_state=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],  # a word about encryption on loopback, each time
            resources={"metadata": {"path": str(source.parent)}},
            on_cell_execute=start,
            on_cell_executed=end,
        )
        try:
            client.execute(cleanup_kc=True, env={**os.environ, "IPYTHONDIR": profile})
        except CellExecutionError as error:
            raise Stopped(notebook, str(error)) from None
    return notebook


class Stopped(Exception):
    """A cell of the notebook raised; `notebook` holds what was executed up to there."""

    def __init__(self, notebook: Any, message: str) -> None:
        self.notebook = notebook
        super().__init__(message)
