"""Open a notebook that was executed here in JupyterLab.

Usage: ``python -m tools.lab NOTEBOOK``. The kernel is the one of this Python, also where the user has
installed another under the same name. The server takes the place of this process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import nbformat
from nbformat.sign import NotebookNotary


def main(notebook: Path) -> NoReturn:
    """Sign `notebook`, whose outputs were made here, and become JupyterLab showing it."""
    NotebookNotary().sign(nbformat.read(notebook, as_version=4))
    environment = {key: value for key, value in os.environ.items() if key != "JUPYTER_PATH"}
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    os.execve(sys.executable, command, environment)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
