"""What must hold after the import of a library before slots are forked: looked at in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skyward_jupyter.agent import preload, threads
from skyward_jupyter.agent.preload import PROVEN, UNSAFE, why_not
from skyward_jupyter.agent.stamps import is_current, stamps

#: A program without threads that imports a library and says what is wrong with it, and what it has left running.
PROGRAM = """
import json, os, sys
from skyward_jupyter.agent import preload
from skyward_jupyter.agent.preloader import _imported
library, within = sys.argv[1], float(sys.argv[2])
if within:
    import time
    preload.TRIALS = {library: lambda: time.sleep(3600)}
    preload.tried.__defaults__ = (within,)
before = len(os.listdir("/proc/self/task"))
refusal = _imported(library, sys.argv[3:])
why = refusal.why if refusal else ''
print(json.dumps([why, sorted(name for name in sys.modules if name.startswith(library))]), flush=True)
os._exit(0)
"""

#: Imports a library as a preloader does, and uses it in children of children, as slots are.
USING = """
import os, sys
from skyward_jupyter.agent.preloader import _imported
print(_imported(sys.argv[1], ()), flush=True)
ended = []
for _ in range(3):
    if (child := os.fork()) == 0:
        if (slot := os.fork()) == 0:
            exec(sys.argv[2], {})
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(slot, 0)[1]))
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(ended, flush=True)
os._exit(0)
"""

#: A use of each library that is preloaded by itself, by way of its threads where it has any.
USES = {
    "numpy": "import numpy as np; a = np.random.rand(500, 500); np.linalg.solve(a @ a, a); np.linalg.svd(a[:200])",
    "scipy": "import numpy as np, scipy.linalg as l, scipy.optimize as o; l.lu_factor(np.random.rand(400, 400));"
    "o.minimize(lambda x: (x**2).sum(), np.ones(5))",
    "pandas": "import pandas as pd; f = pd.DataFrame({'k': list('abc') * 9000, 'v': range(27000)});"
    "f.groupby('k').v.mean(); f.eval('v * 2 + v'); f.sort_values('v')",
    "pyarrow": "import pyarrow as pa, pyarrow.compute as pc; pc.sum(pa.table({'a': list(range(200000))})['a'])",
    "sklearn": "import numpy as np; from sklearn.ensemble import HistGradientBoostingClassifier as H;"
    "from sklearn.cluster import KMeans; x = np.random.rand(2000, 5);"
    "H(max_iter=5).fit(x, x[:, 0] > 0.5); KMeans(4, n_init=1).fit(x)",
    "joblib": "import joblib; joblib.Parallel(2, prefer='threads')(joblib.delayed(abs)(i) for i in range(9))",
    "matplotlib": "import matplotlib.pyplot as p; p.plot([1, 2]); p.savefig('/dev/null', format='png')",
    "PIL": "import io; from PIL import Image; Image.new('RGB', (99, 99)).resize((9, 9)).save(io.BytesIO(), 'png')",
    "seaborn": "import seaborn as s; s.regplot(x=list(range(50)), y=list(range(50))).figure.canvas.draw()",
    "statsmodels": "import numpy as np, statsmodels.api as s; s.OLS(np.random.rand(99), np.random.rand(99, 3)).fit()",
    "networkx": "import networkx as nx; nx.pagerank(nx.gnp_random_graph(99, 0.1))",
    "torch": "import torch; a = torch.rand(300, 300, requires_grad=True); (a @ a).sum().backward();"
    "torch.set_num_threads(3); torch.linalg.svd(torch.rand(200, 200)); from torch.utils.data import DataLoader;"
    "assert sum(map(len, DataLoader(list(range(64)), batch_size=8, num_workers=2))) == 64",
    "sympy": "import sympy; x = sympy.Symbol('x'); sympy.integrate(sympy.sin(x) ** 3, x)",
}

LEAVES = {
    "a_thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), name='beat').start()",
        "beat",
    ),
    "a_file": ("file = open(__file__)", "leaves a file open"),
    "a_socket": ("import socket\nsock = socket.socket()", "leaves a file open (socket:"),
    "a_process": ("import subprocess\nchild = subprocess.Popen(['sleep', '3'], stdout=-3)", "starts a process"),
    "a_memory": ("import mmap\nmemory = mmap.mmap(-1, 4096)", "shares memory"),
    "an_error": ("raise RuntimeError('no licence')", "its import failed: RuntimeError: no licence"),
    "an_exit": ("import sys\nsys.exit(3)", "its import failed: SystemExit: 3"),
    "an_interrupt": ("raise KeyboardInterrupt", "its import failed: KeyboardInterrupt"),
    "a_hole": ("import no_such_module_at_all", "its import failed: ModuleNotFoundError"),
}


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """Where libraries are installed that no one else has."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for name, (source, _) in LEAVES.items():
        (folder / f"{name}.py").write_text(f"{source}\n")
    (folder / "quiet").mkdir()
    (folder / "quiet" / "__init__.py").write_text("")
    (folder / "quiet" / "part.py").write_text("")
    (folder / "quiet" / "broken.py").write_text("1 / 0\n")
    # Threads that end, files that are closed, memory of its own.
    (folder / "tidy.py").write_text(
        "import mmap, threading\nthreading.Thread(target=open(__file__).close).start()\nmemory = bytearray(10**6)\n"
    )
    return folder


def judged(library: str, *modules: str, folder: Path | None = None, within: float = 0.0) -> tuple[str, list[str]]:
    """What is wrong with a library, and which of its modules are loaded then."""
    given = [sys.executable, "-c", PROGRAM, library, str(within), *modules]
    path = {"PYTHONPATH": str(folder)} if folder is not None else {}
    ran = subprocess.run(given, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **path}, check=True)
    why, loaded = json.loads(ran.stdout)
    return why, loaded


@pytest.mark.parametrize("library", LEAVES)
def test_what_a_fork_would_not_take_along_is_named(library: str, libraries: Path) -> None:
    why, _ = judged(library, folder=libraries)
    assert LEAVES[library][1] in why


@pytest.mark.parametrize("library", ["quiet", "tidy"])
def test_a_library_that_leaves_nothing_is_taken(library: str, libraries: Path) -> None:
    assert judged(library, folder=libraries) == ("", [library])


def test_modules_are_imported_as_well_and_one_that_fails_is_left_out(libraries: Path) -> None:
    why, loaded = judged("quiet", "quiet.broken", "quiet.part", folder=libraries)
    assert (why, loaded) == ("", ["quiet", "quiet.part"])


def test_a_library_that_hangs_in_a_forked_process_is_refused(libraries: Path) -> None:
    why, _ = judged("quiet", folder=libraries, within=0.2)
    assert why == "it hangs in a forked process: a first use did not end within 0.2 s"


@pytest.mark.parametrize("library", sorted(PROVEN))
@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_library_that_is_preloaded_by_itself_leaves_nothing_and_works_in_forked_processes(
    library: str, threads: str
) -> None:
    pytest.importorskip(library)
    given = [sys.executable, "-c", USING, library, USES[library]]
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": threads, "MPLBACKEND": "agg"}
    ran = subprocess.run(given, capture_output=True, text=True, env=environment, timeout=120)
    assert ran.stdout == "None\n[0, 0, 0]\n", ran.stderr


def test_a_library_that_is_said_to_be_unsafe_is_not_even_imported(libraries: Path) -> None:
    (libraries / "polars.py").write_text("raise SystemExit(1)\n")
    assert judged("polars", folder=libraries) == (UNSAFE["polars"], [])


def test_own_modules_are_left_to_the_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_alone.py").write_text("raise SystemExit(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert why_not("mine_alone").startswith("it is your own")
    assert why_not("json") == why_not("decimal") == ""


def test_an_upgraded_library_has_another_stamp(libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(libraries))
    __import__("quiet")
    (before,) = stamps({"quiet", "quiet.part", "os"})
    assert is_current(before)
    (libraries / "quiet" / "__init__.py").write_text("VERSION = 2\n")
    assert not is_current(before)
    (libraries / "quiet" / "__init__.py").unlink()
    assert not is_current(before)


def test_random_numbers_are_others_in_each_process_that_was_forked() -> None:
    import numpy as np

    np.random.seed(1)
    first = np.random.random()
    np.random.seed(1)
    preload.be_born()
    assert np.random.random() != first


def test_libraries_that_know_their_share_are_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(threads, "_allowed", lambda: 8)
    monkeypatch.setattr(threads, "_told", 0)
    monkeypatch.setattr(threads, "_born_with", None)
    monkeypatch.setattr(threads, "_LOADING", ("sys",))
    monkeypatch.setattr(threads, "_tell", lambda before, now: told.append((before, now)))
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    threads.have(2)  # in the preloader
    told.clear()
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)  # a slot has its node's environment
    threads.be_born()
    threads.have(2)

    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert told == []
    threads.have(4)  # the pool has fewer nodes now
    assert (os.environ["OMP_NUM_THREADS"], told) == ("4", [(2, 4)])
