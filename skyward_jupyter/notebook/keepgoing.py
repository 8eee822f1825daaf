"""``%%sky --keep-going``: a cell that fails shows its error, and Run All goes on with the cells below.

The front end gets the error as output of the cell, and the cell ends well. So nbclient and ``nbconvert --execute`` go
on without the tag ``raises-exception``, and end well too; papermill runs all cells, finds the error in the notebook
then, and fails at the end, as ``make --keep-going`` does. An interrupt stops the cells below as ever.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from skyward_jupyter.errors import CellFailed
from skyward_jupyter.notebook.ranks import spoken


class KeepGoing:
    """Around what runs a cell: shows what it raises, if that is wanted, and goes on."""

    def __init__(self, shell: Any, *, wanted: bool) -> None:
        self._shell = shell
        self._wanted = wanted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not self._wanted or not isinstance(error, Exception):
            return False
        self._shell.showtraceback((kind, error, tb), tb_offset=0)
        where = f" on {spoken(error.errors)}" if isinstance(error, CellFailed) and error.errors else ""
        sys.stderr.write(f"the cell failed{where}; --keep-going: the cells below run all the same\n")
        return True
