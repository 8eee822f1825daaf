"""What holds for every test: records of pools go to a directory of the test run's own, never to the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Before anything of the project runs, and for every process that a test starts.
_STATE = tempfile.mkdtemp(prefix="skyward-state-")
os.environ["SKYWARD_STATE_DIR"] = _STATE
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
