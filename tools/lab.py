"""Open a notebook that was executed here in JupyterLab.

Usage: ``python -m tools.lab NOTEBOOK``. The kernel is the one of this Python, also where the user has
installed another under the same name. Ends with the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary


def main(notebook: Path) -> int:
    """Sign `notebook`, whose outputs were made here, and run JupyterLab on it."""
    NotebookNotary().sign(nbformat.read(notebook, as_version=4))
    environment = {key: value for key, value in os.environ.items() if key != "JUPYTER_PATH"}
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
