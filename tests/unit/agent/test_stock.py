"""What a template does about imports that do not end well: run in a process that has one thread, as a template."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

#: Wants libraries for slots of one kind, waits until all are there or refused, and says how that went.
PROGRAM = """
import json, os, selectors, sys, time
from skyward_jupyter.agent import stock
from skyward_jupyter.agent.endings import adopt_orphans
from skyward_jupyter.agent.surroundings import Surroundings
stock.PATIENCE, stock.LIMIT, stock.PAUSES = float(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])
crowded, start = int(os.environ["CROWDED"]), stock.start_preloader
def start_where_there_is_room(*given):
    global crowded
    crowded -= 1
    if crowded >= 0:
        raise BlockingIOError("no more processes")
    return start(*given)
stock.start_preloader = start_where_there_is_room
selector = selectors.DefaultSelector()
ended = []
here = stock.Stock(selector, lambda pid: None, lambda shelf: None, ended.append)
adopt_orphans()
kind = Surroundings(tuple(sys.path), os.getcwd(), dict(os.environ))
began = time.monotonic()
shelf = here.want(kind, None, {name: () for name in sys.argv[4:]})
waited = 0.0
while shelf.candidate is not None or shelf.again:
    for key, _ in selector.select(here.wait()):
        here.serve(key.data)
    here.due()
    if shelf.holds_up:
        waited = time.monotonic() - began
alive = set(ended)
until = time.monotonic() + 20
while alive and time.monotonic() < until:
    alive -= {pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0]}
    time.sleep(0.01)
print(json.dumps([list(shelf.loaded), shelf.refused, waited, len(ended), len(alive)]), flush=True)
os._exit(0)
"""


TRY = (
    "import os\nwith open(__file__ + '.tries', 'a+') as said:\n    said.write('.')\n    said.flush()\n"
    "    tries = os.path.getsize(said.name)\n"
)


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """Where libraries are installed that no one else has."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    sources = {
        "one": "",
        "two": "",
        "sleeps": "import time\ntime.sleep(600)\n",
        "spins": "while True: pass\n",
        "exits": "import os\nos._exit(0)\n",
        "crashes": "import os\nos.abort()\n",
        "forks": "import os\nos.fork()\n",
        # These fail once, or always, for a reason that passes; each try leaves a line.
        "tight": f"{TRY}if tries < 2:\n    raise MemoryError\n",
        "killed": f"{TRY}if tries < 2:\n    os.kill(os.getpid(), 9)\n",
        "crowded": f"{TRY}import errno\nraise OSError(errno.EAGAIN, 'no more')\n",
    }
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def stocked(
    folder: Path,
    *names: str,
    patience: float = 5.0,
    limit: float = 60.0,
    pauses: Sequence[float] = (),
    crowded: int = 0,
) -> list[Any]:
    """What there is, what was refused, how long slots were to wait, and how many preloaders ended, or did not."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "CROWDED": str(crowded)}
    command = [sys.executable, "-c", PROGRAM, str(patience), str(limit), json.dumps(pauses), *names]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=120)
    found: list[Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("bad", ["sleeps", "spins"])
def test_an_import_that_takes_too_long_is_refused_and_the_others_are_made_without_it(bad: str, libraries: Path) -> None:
    loaded, refused, _, ended, alive = stocked(libraries, "one", bad, "two", limit=3.0)
    assert loaded == ["one", "two"]
    assert refused == {bad: "its import takes longer than 3 s"}
    assert (ended, alive) == (1, 0)


@pytest.mark.parametrize("bad", ["exits", "crashes"])
def test_a_library_that_ends_the_process_is_refused_by_name(bad: str, libraries: Path) -> None:
    loaded, refused, _, _, alive = stocked(libraries, "one", bad, "two")
    assert (loaded, refused, alive) == (["one", "two"], {bad: "its import ends the process"}, 0)


def test_several_that_fail_leave_those_that_do_not(libraries: Path) -> None:
    loaded, refused, _, ended, alive = stocked(libraries, "exits", "one", "forks", "crashes", "missing")
    assert loaded == ["one"]
    assert set(refused) == {"exits", "forks", "crashes", "missing"}
    assert (ended, alive) == (4, 0)


def test_slots_stop_waiting_for_an_import_that_does_nothing(libraries: Path) -> None:
    _, _, waited, _, _ = stocked(libraries, "sleeps", patience=0.5, limit=8.0)
    assert waited < 6.0


@pytest.mark.parametrize("library", ["tight", "killed"])
def test_what_is_refused_for_want_of_room_is_tried_again_and_loaded_then(library: str, libraries: Path) -> None:
    loaded, refused, _, _, alive = stocked(libraries, "one", library, pauses=[0.1, 0.1])
    assert (loaded, refused, alive) == (["one", library], {}, 0)


def test_what_lacks_room_for_ever_is_tried_a_few_times_and_the_others_are_there_meanwhile(libraries: Path) -> None:
    loaded, refused, _, _, alive = stocked(libraries, "one", "crowded", pauses=[0.1, 0.1, 0.1])
    assert (loaded, alive) == (["one"], 0)
    assert refused == {
        "crowded": "its import failed: no more processes are allowed there: the limit of its container "
        "or user is reached"
    }
    assert (libraries / "crowded.py.tries").read_text() == "...."


def test_what_cannot_be_preloaded_is_not_tried_again(libraries: Path) -> None:
    _, refused, _, ended, _ = stocked(libraries, "crashes", "missing", pauses=[0.1])
    assert (set(refused), ended) == ({"crashes", "missing"}, 2)


@pytest.mark.parametrize(("crowded", "loaded"), [(2, ["one"]), (4, [])])
def test_a_preloader_that_the_system_has_no_room_for_is_started_later_a_few_times(
    crowded: int, loaded: list[str], libraries: Path
) -> None:
    assert stocked(libraries, "one", pauses=[0.1, 0.1, 0.1], crowded=crowded)[:2] == [loaded, {}]
