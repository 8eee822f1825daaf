"""Which libraries slots get by a fork instead of importing them, and what must hold after such an import.

A library is imported by itself only when it is one of `PROVEN`: tests have forked after its import, and used it in the
children. Whatever is imported is looked at afterwards: a thread that a fork does not end, an open file, a child process
or memory that is shared with other processes would be half there in a slot, so none of these may be left.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from skyward_jupyter.agent.again import lack
from skyward_jupyter.errors import UsageError
from skyward_jupyter.wire.own import is_own_path

#: What is preloaded without being named, once the notebook has imported it.
PROVEN = frozenset(
    {"numpy", "scipy", "pandas", "pyarrow", "sklearn", "joblib", "matplotlib", "PIL", "seaborn", "statsmodels"}
    | {"networkx", "sympy", "torch"}
)
#: What is never preloaded, and why not.
UNSAFE: Mapping[str, str] = dict.fromkeys(("polars",), "its threads do not survive a fork, as its makers say") | (
    dict.fromkeys(("grpc", "ray", "tensorflow", "jax", "jaxlib"), "it does not work in a forked process")
    | dict.fromkeys(("cupy", "cudf", "pycuda", "rmm"), "CUDA does not work in a forked process")
)
#: Threads that stop by themselves in a forked process: their library has handlers for it.
_HARMLESS = frozenset({"jemalloc_bg_thd"})
#: Devices whose open contexts do not survive a fork.
_DEVICES = ("/dev/nvidia", "/dev/dri", "/dev/kfd", "/dev/shm", "/dev/accel")
#: Seconds that a thread which is about to end may take, on a busy machine as long as it works, and that the trial in a
#: child may.
_SETTLED_WITHIN, _WORKS_WITHIN, TRIED_WITHIN = 0.5, 10.0, 20.0
#: An import that fails where so much memory cannot be had has failed for want of it (bytes).
_ROOM = 64 * 2**20

type Libraries = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a library is not preloaded.

    Attributes
    ----------
    why
        The end of a sentence.
    passing
        Whether another try may go well: there was no room, or no time.
    missing
        Whether an installation may mend it.
    """

    why: str
    passing: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process has that its children would have only by half, or share with each other.

    Attributes
    ----------
    threads
        Their numbers and names, without the main one.
    files
        Its open descriptors, with what they lead to.
    children
        Its child processes.
    shared
        Devices that it has in its memory, and memory that it shares with others.
    """

    threads: Mapping[int, str]
    files: frozenset[tuple[int, str]]
    children: frozenset[int]
    shared: frozenset[str]

    @classmethod
    def take(cls) -> Footprint:
        """Return that of this process now (Linux)."""
        return cls(_threads(), frozenset(_files()), _children(), frozenset(_shared()))

    def left_since(self, before: Footprint) -> str:
        """Return what is here that was not there before, as the end of a sentence; empty for nothing."""
        if threads := self.threads.keys() - before.threads.keys():
            names = _python_names(threads) or sorted({self.threads[number] for number in threads})
            count = "a thread" if len(threads) == 1 else f"{len(threads)} threads"
            return f"it leaves {count} running ({', '.join(names)}), which a fork does not take along"
        if children := self.children - before.children:
            return f"it starts {'a process' if len(children) == 1 else f'{len(children)} processes'} when imported"
        if shared := self.shared - before.shared:
            return f"it shares memory with others ({min(shared)})"
        if files := self.files - before.files:
            return f"it leaves a file open ({min(name for _, name in files)})"
        return ""


def top_of(name: str) -> str:
    """Return the library that a module is of."""
    return name.partition(".")[0]


def why_not(library: str) -> str:
    """Return why a library is not even tried; empty where it may be. It is not imported."""
    if library in UNSAFE:
        return UNSAFE[library]
    if library in sys.modules:
        return ""
    try:
        spec = PathFinder.find_spec(library)
    except Exception as error:
        return f"it cannot be found: {type(error).__name__}: {error}"
    place = next(iter(spec.submodule_search_locations or ()), None) if spec is not None else None
    origin = spec.origin if spec is not None and spec.has_location else place
    if origin and is_own_path(origin):
        return "it is your own: nodes import such modules when they use them, so that they see your edits"
    return ""


def failed(error: BaseException) -> Refusal:
    """Return why a library is refused whose import raised this."""
    lacks = lack(error) or _lacking_memory()
    said = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return Refusal(f"its import failed: {lacks or said}", passing=bool(lacks), missing=isinstance(error, ImportError))


def _lacking_memory() -> str:
    """Return that there is no room for what an import takes: a linker that has none says so in words only."""
    try:
        mmap.mmap(-1, _ROOM, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        return lack(error)
    return ""


def tried(library: str, within: float = TRIED_WITHIN) -> Refusal | None:
    """Fork, and use the library in the child; return what went wrong, None for nothing.

    A library that stops its threads at a fork, as OpenBLAS does, has none in this process afterwards.
    """
    _stop_threads()
    ended, child = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(ended)
        os.close(child)
        return Refusal(f"it could not be tried: {lack(error) or error}", passing=True)
    if pid == 0:
        _try(library)
    os.close(child)
    try:
        if not select.select([ended], [], [], within)[0]:
            busy = _works(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            how = "is slow" if busy else "hangs"
            return Refusal(f"it {how} in a forked process: a first use did not end within {within:g} s", passing=busy)
    finally:
        os.close(ended)
    _, status = os.waitpid(pid, 0)
    if not status:
        return None
    return Refusal("it does not work in a forked process", passing=bool(_lacking_memory()) or _was_killed(status))


def _was_killed(status: int) -> bool:
    """Return whether a process was killed, as by a system that has no memory left."""
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _works(pid: int) -> bool:
    """Return whether a thread of a process would run, or reads a disk."""
    with contextlib.suppress(OSError):
        return any(_would_run(pid, int(number)) for number in os.listdir(f"/proc/{pid}/task"))
    return False


def _would_run(pid: int, thread: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(") ")[2][0] in "RD"
    return False


def _try(library: str) -> None:
    status = 1
    try:
        if (trial := TRIALS.get(library)) is not None:
            trial()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def settled(before: Footprint) -> str:
    """Return what is left since `before`; threads that are about to end have a moment for it."""
    began = time.monotonic()
    while (left := (now := Footprint.take()).left_since(before)) and now.threads:
        elapsed = time.monotonic() - began
        works = any(_would_run(os.getpid(), thread) for thread in now.threads.keys() - before.threads.keys())
        if elapsed > (_WORKS_WITHIN if works else _SETTLED_WITHIN):
            break
        time.sleep(0.01)
    return left


@contextlib.contextmanager
def temporary() -> Iterator[list[str]]:
    """Gather the temporary files and directories that are made meanwhile."""
    made: list[str] = []
    mkdtemp, mkstemp = tempfile.mkdtemp, tempfile.mkstemp

    def directory(*args: Any, **kwargs: Any) -> Any:
        made.append(path := mkdtemp(*args, **kwargs))
        return path

    def file(*args: Any, **kwargs: Any) -> Any:
        found = mkstemp(*args, **kwargs)
        made.append(found[1])
        return found

    tempfile.mkdtemp, tempfile.mkstemp = directory, file
    try:
        yield made
    finally:
        tempfile.mkdtemp, tempfile.mkstemp = mkdtemp, mkstemp


def left_behind(made: list[str]) -> str:
    """Return which of these is still there: slots would share it, and the first that ends would remove it."""
    left = [os.fsdecode(path) for path in made if os.path.exists(path)]
    return f"it leaves a temporary file that all would share ({left[0]})" if left else ""


def _numpy() -> None:
    import numpy as np

    # Each goes another way through the threads of OpenBLAS and MKL: one version hung in one of them only.
    matrix = np.eye(256) * 2.0
    np.linalg.solve(matrix @ matrix, np.ones(256))


def _scipy() -> None:
    import numpy as np
    from scipy import linalg  # type: ignore[import-untyped,unused-ignore]

    linalg.lu_factor(np.eye(256))
    linalg.svdvals(np.eye(64))


def _pandas() -> None:
    import pandas as pd

    pd.DataFrame({"a": ["x", "y", "x"], "b": [1.0, 2.0, 3.0]}).groupby("a").sum()


def _pyarrow() -> None:
    import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]

    pa.table({"a": list(range(1000))}).to_pylist()


def _torch() -> None:
    import torch  # type: ignore[import-not-found,unused-ignore]

    # The threads of its products and those of its gradients are others; where either had run here, this would not end.
    matrix = torch.rand(256, 256, requires_grad=True)
    (matrix @ matrix).sum().backward()


#: A first use of a library, as a program would make it.
TRIALS: Mapping[str, Callable[[], object]] = {
    "numpy": _numpy,
    "scipy": _scipy,
    "pandas": _pandas,
    "pyarrow": _pyarrow,
    "torch": _torch,
}


#: How many threads numexpr had before it was told to have none beside its caller's.
_numexpr = 0


def _stop_threads() -> None:
    """Have a library stop its threads that does so when it is told, but not at a fork."""
    global _numexpr
    numexpr: Any = sys.modules.get("numexpr")
    if numexpr is not None and not _numexpr:
        _numexpr = numexpr.set_num_threads(1)


def be_born() -> None:
    """In a slot: be as after an import there. Python sees to the numbers of its own module `random` itself."""
    if _numexpr:
        sys.modules["numexpr"].set_num_threads(_numexpr)
    _seed()


def _seed() -> None:
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()


def _threads() -> dict[int, str]:
    found = {}
    for number in map(int, os.listdir("/proc/self/task")):
        with contextlib.suppress(OSError):
            name = Path(f"/proc/self/task/{number}/comm").read_text().strip()
            if number != os.getpid() and name not in _HARMLESS:
                found[number] = name
    return found


def _python_names(numbers: set[int]) -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.native_id in numbers)


def _files() -> list[tuple[int, str]]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself is closed by now
            found.append((int(number), os.readlink(f"/proc/self/fd/{number}")))
    return found


def _children() -> frozenset[int]:
    with contextlib.suppress(OSError):
        return frozenset(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
    return frozenset()  # a system that does not tell


def _shared() -> list[str]:
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        _, rights, _, _, _, *path = line.split(maxsplit=5)
        name = path[0] if path else "anonymous memory"
        if name.startswith(_DEVICES) or (rights[1] == "w" and rights[3] == "s"):
            found.append(name)
    return found


def checked_preload(preload: object) -> bool | tuple[str, ...]:
    """`preload`, which is a truth, or names of modules."""
    if isinstance(preload, bool):
        return preload
    names = preload.replace(",", " ").split() if isinstance(preload, str) else preload
    if not isinstance(names, list | tuple) or not all(is_module_name(name) for name in names):
        raise UsageError(
            f"preload is {preload!r}; give names of modules, as in preload=['numpy', 'pandas'], or False for none"
        )
    return tuple(dict.fromkeys(names))


def is_module_name(name: object) -> bool:
    """Return whether this can be the name of a module."""
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))
