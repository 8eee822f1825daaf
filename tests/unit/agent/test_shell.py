"""The shell of a session, in a process of its own as on a node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_making_one_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = "from skyward_jupyter.agent.shell import make_shell\nprint(make_shell().run_cell('6 * 7').result)"
    environment = {**os.environ, "TMPDIR": str(temporary), "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    environment.pop("IPYTHONDIR", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "42"
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / ".ipython").exists()
