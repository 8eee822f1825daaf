"""What holds for every test: records of pools go to a directory of the test run's own, never to the user's.

And pools say nothing on stderr by themselves: on a busy machine every start is a slow one, and would be told.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING

import cloudpickle
import pytest

import tests
from tests.order import spread

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

# What tests define goes by value, so that no node has to import pytest and all that a test's module does.
cloudpickle.register_pickle_by_value(tests)

pytest_plugins = ["tests.machines", "tests.namespaces", "tests.bare", "tests.far", "tests.pids"]

# A shell that has the tests run in the background hands on that interrupts are ignored, and many tests are about them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything of the project runs, and for every process that a test starts.
_STATE = tempfile.mkdtemp(prefix="skyward-state-")
os.environ["SKYWARD_STATE_DIR"] = _STATE
os.environ["SKYWARD_PANEL"] = "off"
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have those that run several files at a time hand them out in another order."""
    if hasattr(config, "workerinput"):
        items[:] = spread(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Have whole files handed out so that only a few compute at a time."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.handing import Handing

    return Handing(config, log)
