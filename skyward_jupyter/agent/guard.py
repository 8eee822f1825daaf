"""Ends what slots started when their template is killed, which cannot do so itself any more.

A small process beside the template, `skyward: guard` in ``ps``. It sleeps for as long as the template lives, and ends
with it. Agents and slots are ended by the system then; what slots started is told to end, and killed a moment later.
Files that the template would have removed go too. Linux only, as `skyward_jupyter.agent.marks` is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
import traceback
from collections.abc import Sequence

from setproctitle import setproctitle

from skyward_jupyter.agent.child import signal_with_parent
from skyward_jupyter.agent.endings import KILLED_WITHIN, LOOK_EVERY, REST_WITHIN, tell
from skyward_jupyter.agent.launch import FORK, leave
from skyward_jupyter.agent.marks import Marks


def start_guard(marks: Marks, files: Sequence[str]) -> int:
    """Start the guard of this process and its `files`, and return its id; 0 where none can be had."""
    if not FORK:
        return 0
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid:
        return pid
    try:
        leave(set())
        os.setpgid(0, 0)
        setproctitle(f"skyward: guard {parent}")
        _await_end_of(parent)
        _end(marks)
        _remove(files)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _await_end_of(parent: int) -> None:
    """Return once the parent has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal_with_parent(signal.SIGTERM)
    while os.getppid() == parent:
        signal.sigwait([signal.SIGTERM])


def _end(marks: Marks) -> None:
    """Have all processes with a mark end; see `skyward_jupyter.agent.endings`."""
    began = time.monotonic()
    tell(_left(marks), signal.SIGTERM)
    while (left := _left(marks)) and (passed := time.monotonic() - began) < REST_WITHIN + KILLED_WITHIN:
        if passed >= REST_WITHIN:
            tell(left, signal.SIGKILL)
        time.sleep(LOOK_EVERY)


def _remove(files: Sequence[str]) -> None:
    for name in files:
        with contextlib.suppress(OSError):
            shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)


def _left(marks: Marks) -> list[int]:
    return [pid for pids in marks.found().values() for pid in pids]
