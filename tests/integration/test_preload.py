"""Libraries that are imported once and inherited by the slots of pools on this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import skyward as sky
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.wire.events import Success
from tests.processes import line_of

type Until = Callable[[Callable[[], object], str], None]

SOURCES = {
    "quiet_lib": "import os\nMARK = os.environ.get('MARK')\nSTATE = []\n",
    "using_lib": "import quiet_lib\n",
    "beating_lib": "from threading import Event, Thread\nThread(None, Event().wait, 'beat', daemon=True).start()\n",
    "storing_lib": "import tempfile\nFOLDER = tempfile.mkdtemp(prefix='stored-')\n",
    "tidying_lib": "import tempfile\nwith tempfile.TemporaryDirectory():\n    pass\n",
    "raising_lib": "raise RuntimeError('no licence')\n",
    "exiting_lib": "import os\nos._exit(7)\n",
    "crashing_lib": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "sleeping_lib": "import time\ntime.sleep(600)\n",
    # It works meanwhile: an import that does nothing is not waited for as long.
    "gated_lib": "import os\nwhile not os.path.exists(os.environ['GATE']):\n    sum(range(10000))\n",
    "printing_lib": "import sys\nOUT, ERR = sys.stdout, sys.stderr\n",
}


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where libraries are installed that no one else has."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for name, source in SOURCES.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def born_with(until: Until) -> Iterator[Callable[..., sky.ComputePool]]:
    """Starts a pool whose slots are born with these modules, once they are."""
    pools: list[sky.ComputePool] = []

    def start(*modules: str, nodes: int = 1, **given: object) -> sky.ComputePool:
        pool = sky.ComputePool(nodes=nodes, preload=modules, **given).start()  # type: ignore[arg-type]
        pools.append(pool)
        tops = {name.partition(".")[0] for name in modules}
        until(lambda: tops <= {*pool.preloaded.libraries, *pool.preloaded.refused}, f"{tops} are preloaded or refused")
        return pool

    yield start
    for pool in pools:
        pool.stop()


@sky.compute
def has(*names: str) -> tuple[int, list[str]]:
    """The slot, and which of these modules it had before it imported anything."""
    return os.getpid(), [name for name in names if name in sys.modules]


@sky.compute
def mark() -> tuple[bool, str | None]:
    """What a library found in the environment when it was imported, and whether that was before this."""
    there = "quiet_lib" in sys.modules
    import quiet_lib  # type: ignore[import-not-found]

    return there, quiet_lib.MARK


@sky.compute
def computed(size: int) -> tuple[float, float, float, int]:
    """Use the threads of OpenBLAS and of OpenMP; the error of a product, and random numbers."""
    import random

    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped,unused-ignore]

    generator = np.random.default_rng(3)
    matrix = generator.random((size, size))
    error = np.abs(np.linalg.solve(matrix @ matrix, matrix @ matrix) - np.eye(size)).max()
    rows = pd.DataFrame({"x": generator.random(400), "y": generator.random(400)})
    model = HistGradientBoostingClassifier(max_iter=5).fit(rows, rows.x > rows.y)
    return float(error), float(np.random.random()), random.random(), int(model.predict(rows).sum())


def test_eight_nodes_are_born_with_what_they_need_compute_right_and_roll_different_dice(
    born_with: Callable[..., sky.ComputePool],
) -> None:
    modules = ("numpy", "pandas", "sklearn.ensemble")
    pool = born_with(*modules, nodes=8)
    assert pool.preloaded.refused == {}
    slots = has(*modules) @ pool
    assert [found for _, found in slots] == [list(modules)] * 8
    errors, dice, pythons, predicted = zip(*(computed(200) @ pool), strict=True)
    assert max(errors) < 1e-3
    assert len(set(predicted)) == 1
    assert len(set(dice)) == len(set(pythons)) == 8


@sky.compute
def drawn() -> dict[str, str]:
    """What is to be another one in each process."""
    import random
    import secrets
    import ssl
    import tempfile
    import uuid

    from sklearn.utils import check_random_state  # type: ignore[import-untyped,unused-ignore]

    return {
        "random": repr(random.random()),
        "numpy": repr(np.random.random()),
        "sklearn": repr(check_random_state(None).random()),
        "generator": repr(np.random.default_rng().random()),
        "uuid1": uuid.uuid1().hex,
        "uuid4": uuid.uuid4().hex,
        "ssl": ssl.RAND_bytes(16).hex(),
        "secrets": secrets.token_hex(16),
        "temporary": tempfile.mktemp(),
    }


def test_nothing_that_is_drawn_is_drawn_twice(born_with: Callable[..., sky.ComputePool]) -> None:
    pool = born_with("numpy", "sklearn.utils", "random", "uuid", "ssl", "tempfile", nodes=8)
    draws = drawn() @ pool
    assert {name: len({draw[name] for draw in draws}) for name in draws[0]} == dict.fromkeys(draws[0], 8)


def test_processes_and_threads_that_libraries_start_are_each_slots_own(
    born_with: Callable[..., sky.ComputePool],
) -> None:
    @sky.compute
    def started() -> tuple[int, set[int], float]:
        from joblib import Parallel, delayed  # type: ignore[import-untyped,unused-ignore]

        matrix = np.eye(300) * 2.0
        products = Parallel(n_jobs=2, prefer="threads")(delayed(np.linalg.solve)(matrix, matrix) for _ in range(4))
        return os.getpid(), set(Parallel(n_jobs=2)(delayed(os.getppid)() for _ in range(4))), float(sum(products)[0, 0])

    pool = born_with("numpy", "joblib", nodes=2)
    slots = started() @ pool
    assert [total for _, _, total in slots] == [4.0, 4.0]
    assert len({pid for pid, _, _ in slots}) == 2
    assert not slots[0][1] & slots[1][1]


def test_what_a_library_finds_in_its_process_is_as_without_preloading(
    born_with: Callable[..., sky.ComputePool],
) -> None:
    @sky.compute
    def found() -> tuple[object, ...]:
        import tempfile

        import matplotlib as mpl
        import matplotlib.pyplot as plt

        figure = plt.figure()
        number = plt.get_fignums()
        plt.close(figure)
        return mpl.get_backend(), number, mpl.get_configdir(), tempfile.gettempdir(), sys.argv

    with sky.ComputePool(nodes=1, preload=False) as bare:
        assert found() >> born_with("matplotlib.pyplot", "tempfile") == found() >> bare


def test_sessions_are_born_with_it_as_slots_are(born_with: Callable[..., sky.ComputePool]) -> None:
    pool = born_with("numpy", "pandas", nodes=2)

    async def in_sessions() -> list[Any]:
        outcomes = await pool._inner.launch(has("numpy", "pandas"), [0, 1], session=True).outcomes()
        return [outcome.value for outcome in outcomes if isinstance(outcome, Success)]

    assert [found for _, found in wait(in_sessions(), "")] == [["numpy", "pandas"]] * 2


def test_slots_that_were_born_so_are_children_of_the_template_and_end_with_the_pool(
    born_with: Callable[..., sky.ComputePool], until: Until
) -> None:
    pool = born_with("numpy", nodes=2)
    slots = [psutil.Process(pid) for pid, _ in has() @ pool]
    parents = {slot.ppid() for slot in slots}
    assert len(parents) == 1
    assert psutil.Process(parents.pop()).name().startswith("skyward: temp")
    pool.stop()
    until(lambda: not any(slot.is_running() for slot in slots), "the slots have ended")


def test_a_slot_that_ends_is_replaced_by_one_that_is_born_the_same(born_with: Callable[..., sky.ComputePool]) -> None:
    @sky.compute
    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    pool = born_with("numpy")
    before, _ = has() >> pool
    with pytest.raises(sky.SkywardError):
        end() >> pool
    assert (has("numpy") >> pool) != (before, ["numpy"])
    assert (has("numpy") >> pool)[1] == ["numpy"]


@pytest.mark.parametrize(
    ("library", "why"),
    [
        ("beating_lib", "it leaves a thread running (beat), which a fork does not take along"),
        ("raising_lib", "its import failed: RuntimeError: no licence"),
        ("exiting_lib", "its import ends the process"),
        ("crashing_lib", "its import ends the process"),
        ("missing_lib", "its import failed: ModuleNotFoundError: No module named 'missing_lib'"),
    ],
)
def test_a_library_that_cannot_be_preloaded_is_named_once_and_keeps_no_other_from_it(
    library: str,
    why: str,
    libraries: Path,
    born_with: Callable[..., sky.ComputePool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "skyward"):
        pool = born_with("quiet_lib", library, nodes=2, name="picky")
    assert dict(pool.preloaded.refused) == {library: why}
    assert [found for _, found in has("quiet_lib", library) @ pool] == [["quiet_lib"]] * 2
    said = [record.getMessage() for record in caplog.records if "preload" in record.getMessage()]
    assert said == [f"pool picky does not preload {library}: {why}; its nodes import it when they use it"]


def test_a_call_that_uses_nothing_of_it_does_not_wait_for_an_import_and_one_that_does_gets_a_slot_that_has_it(
    libraries: Path, tmp_path: Path, until: Until
) -> None:
    gate = tmp_path / "gate"
    with sky.ComputePool(nodes=2, preload=["gated_lib"], env={"GATE": str(gate)}) as pool:
        first = sky.compute(os.getpid)() >> pool  # while the import goes on; functions of this module may use it
        assert pool.preloaded.libraries == ()
        with ThreadPoolExecutor(1) as thread:
            later = thread.submit(lambda: has("gated_lib") @ pool)
            gate.touch()
            slots = later.result()
        until(lambda: pool.preloaded.libraries == ("gated_lib",), "it is preloaded")
        assert [found for pid, found in slots if pid != first] == [["gated_lib"]]
        assert first in {pid for pid, _ in slots}  # what has run something stays
        before = {pid for pid, _ in slots}
        assert {pid for pid, _ in has() @ pool} == before


def test_idle_slots_of_a_pool_that_runs_are_replaced_by_ones_that_have_it(
    libraries: Path, tmp_path: Path, until: Until
) -> None:
    gate = tmp_path / "gate"
    with sky.ComputePool(nodes=2, preload=["gated_lib"], env={"GATE": str(gate)}) as pool:
        until(lambda: len(_slots(pool)) == 2, "the slots are there")
        before = _slots(pool)
        gate.touch()
        until(lambda: len(_slots(pool)) == 2 and not before & _slots(pool), "other slots have taken their places")
        assert [found for _, found in has("gated_lib") @ pool] == [["gated_lib"]] * 2
        assert {pid for pid, _ in has() @ pool} == _slots(pool)


def _slots(pool: sky.ComputePool) -> set[int]:
    """The slots of a pool."""
    name = f"skyward: slot {pool.name}/"
    return {it.pid for it in psutil.Process().children(recursive=True) if line_of(it).startswith(name)}


def test_a_library_that_leaves_a_temporary_directory_is_refused_and_one_that_tidies_up_is_not(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    pool = born_with("storing_lib", "tidying_lib")
    assert pool.preloaded.libraries == ("tidying_lib",)
    assert pool.preloaded.refused["storing_lib"].startswith("it leaves a temporary file that all would share (")


def test_an_import_without_end_holds_up_neither_the_start_nor_calls_for_ever(libraries: Path) -> None:
    with sky.ComputePool(nodes=2, preload=["sleeping_lib"]) as pool:
        assert [found for _, found in has("sleeping_lib") @ pool] == [[], []]
        assert pool.preloaded.libraries == ()


def test_without_preloading_slots_import_for_themselves() -> None:
    with sky.ComputePool(nodes=1, preload=False) as pool:
        assert (has("numpy") >> pool)[1] == []
        assert pool.preloaded == type(pool.preloaded)()


def test_what_this_process_has_imported_is_preloaded_without_being_named(until: Until) -> None:
    assert "numpy" in sys.modules
    with sky.ComputePool(nodes=1) as pool:
        until(lambda: "numpy" in pool.preloaded.libraries, "numpy is preloaded")
        assert (has("numpy") >> pool)[1] == ["numpy"]


def test_a_library_sees_the_environment_of_its_own_pool(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    one = born_with("quiet_lib", env={"MARK": "one"})
    two = born_with("quiet_lib", env={"MARK": "two"})
    assert [mark() >> pool for pool in (one, two, one)] == [(True, "one"), (True, "two"), (True, "one")]


def test_an_upgrade_is_there_in_the_slots_that_start_after_it(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    pool = born_with("quiet_lib", nodes=1)
    assert mark() >> pool == (True, None)
    (libraries / "quiet_lib.py").write_text("MARK = 'the newer one'\n")
    pool.scale(2)
    assert mark() @ pool == [(True, None), (True, "the newer one")]


def test_an_upgrade_of_what_a_library_uses_is_there_in_the_slots_that_start_after_it(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    pool = born_with("using_lib", nodes=1)
    assert mark() >> pool == (True, None)
    (libraries / "quiet_lib.py").write_text("MARK = 'the newer one'\n")
    pool.scale(2)
    assert mark() @ pool == [(True, None), (True, "the newer one")]


def test_a_session_that_starts_after_an_upgrade_has_the_newer_one(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    pool = born_with("quiet_lib", nodes=1)

    async def in_session() -> object:
        (outcome,) = await pool._inner.launch(mark(), [0], session=True).outcomes()
        return outcome.value if isinstance(outcome, Success) else outcome

    assert wait(in_session(), "") == (True, None)
    (libraries / "quiet_lib.py").write_text("MARK = 'the newer one'\n")
    assert wait(in_session(), "") == (True, None)  # as in any program that runs
    wait(pool._inner.renew_sessions([0]), "")
    assert wait(in_session(), "") == (True, "the newer one")


def test_a_library_that_was_missing_is_preloaded_once_it_is_installed(
    libraries: Path, born_with: Callable[..., sky.ComputePool], until: Until
) -> None:
    pool = born_with("quiet_lib", "later_lib", nodes=1)
    assert pool.preloaded.libraries == ("quiet_lib",)
    (libraries / "later_lib.py").write_text("")
    pool.scale(2)
    until(lambda: pool.preloaded.libraries == ("quiet_lib", "later_lib"), "it is preloaded")
    assert pool.preloaded.refused == {}


def test_what_a_slot_does_to_a_library_is_not_there_in_the_others(
    libraries: Path, born_with: Callable[..., sky.ComputePool]
) -> None:
    @sky.compute
    def put() -> int:
        import quiet_lib

        quiet_lib.STATE.append(1)
        return len(quiet_lib.STATE)

    assert put() @ born_with("quiet_lib", nodes=3) == [1, 1, 1]


def test_what_a_library_writes_to_the_streams_that_it_found_is_shown(
    libraries: Path, born_with: Callable[..., sky.ComputePool], capfd: pytest.CaptureFixture[str]
) -> None:
    @sky.compute
    def write() -> None:
        import printing_lib  # type: ignore[import-not-found]

        print("to the first stdout", file=printing_lib.OUT)
        print("to the first stderr", file=printing_lib.ERR)

    write() >> born_with("printing_lib")
    out, err = capfd.readouterr()
    assert "to the first stdout" in out
    assert "to the first stderr" in err


def test_a_pool_whose_preloader_was_killed_goes_on_and_gets_another(
    born_with: Callable[..., sky.ComputePool], until: Until
) -> None:
    pool = born_with("numpy")
    template = psutil.Process(psutil.Process((has() >> pool)[0]).ppid())
    before = [child for child in template.children() if child.name().startswith("skyward: prel")]
    assert before
    for preloader in before:
        preloader.kill()
    until(lambda: not any(it.is_running() for it in before), "they have ended")
    pool.scale(2)
    assert [found for _, found in has("numpy") @ pool] == [["numpy"], ["numpy"]]


@pytest.mark.parametrize("preload", [["not a name"], [1], 7, "a-b", ["numpy", ""]])
def test_what_is_no_name_of_a_module_is_refused(preload: object) -> None:
    with pytest.raises(sky.UsageError, match=r"preload is .*; give names of modules"):
        sky.ComputePool(preload=preload)  # type: ignore[arg-type]
