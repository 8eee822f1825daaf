"""What a value is as it would travel: its content hash, its size, and the cells that its functions were written in."""

from __future__ import annotations

import io
import linecache
import os
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xxhash
from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.errors import UsageError
from skyward_jupyter.project.tracker import version_of
from skyward_jupyter.wire.attributes import Make, with_attributes
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.own import goes_by_value
from skyward_jupyter.wire.pickler import Pickler


@dataclass(frozen=True, slots=True)
class Weight:
    """A value as it would travel.

    Attributes
    ----------
    digest, size
        Content hash and bytes.
    files
        The names of the notebook's cells that code in it comes from.
    """

    digest: str
    size: int
    files: frozenset[str] = frozenset()


def cell_names(shell: InteractiveShell) -> re.Pattern[bytes] | None:
    """What the names that a shell gives to the code of its cells look like; None when that cannot be told."""
    compiler: Any = shell.compile
    name: str = compiler.get_code_name("1", "1", 0)
    if name.startswith("<ipython-input-"):
        return re.compile(rb"<ipython-input-\d+-[0-9a-f]+>")
    if name.endswith(".py") and os.path.basename(name)[:-3].isdecimal():
        return re.compile(re.escape(os.path.dirname(name) + os.sep).encode() + rb"\d+\.py")
    return None


def weigh(name: str, value: object, limit: int | None, cells: re.Pattern[bytes] | None = None) -> Weight:
    """Hash `value` as it would be pickled; refuses one that is larger than `limit` bytes or cannot be pickled.

    Parameters
    ----------
    cells
        What names of cells look like; without it, none are looked for.
    """
    if isinstance(value, types.ModuleType) and not goes_by_value(value.__name__):
        return Weight(f"module {value.__name__}", 0)

    def dump(make: Make) -> tuple[_Scale, Any]:
        scale = _Scale(limit, cells)
        pickler = make(scale, buffer_callback=scale.aside)
        pickler.dump(value)
        return scale, pickler

    try:
        scale, weigher = with_attributes(dump, _Weigher)
    except _TooLarge:
        raise too_large(name, value, limit or 0) from None
    except Exception:
        raise explain(name, value) from None
    for module in sorted(weigher.modules):
        scale.hash.update(version_of(module).encode())  # what goes by name is another thing once its module is another
    return Weight(scale.hash.hexdigest(), scale.size, frozenset(filter(linecache.getlines, scale.files)))


def too_large(name: str, value: object, limit: int) -> UsageError:
    """The refusal of a value over the limit; it says the size where the value knows it."""
    known = _known_size(value)
    size = f" ({spelled(known)})" if known else ""
    return UsageError(
        f"{name}{size} is over {spelled(limit)}, the limit for a name that goes to the nodes by itself: send it with "
        f"-i {name}, a part of it to each node with --scatter {name}, make it on the nodes, or raise the limit with "
        f"%config Skyward.size_limit = {10 * (limit or 1)}"
    )


def spelled(size: int) -> str:
    """A number of bytes, as people write it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


class _TooLarge(BaseException):
    """Not an `Exception`, which would have the value pickled in another way."""


class _Weigher(Pickler):
    """Notes which modules the functions and classes of a value are of."""

    def __init__(self, file: Any, buffer_callback: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, buffer_callback)
        self.modules: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        """Return how `value` is made elsewhere; see `pickle.Pickler`."""
        if isinstance(value, type | types.FunctionType):
            self.modules.add(value.__module__ or "")
        return super().reducer_override(value)


class _Scale(io.RawIOBase):
    """A file that hashes and counts what is written to it, up to a limit."""

    def __init__(self, limit: int | None, cells: re.Pattern[bytes] | None = None) -> None:
        self.hash = xxhash.xxh3_128()
        self.size = 0
        self.limit = limit
        self.files: set[str] = set()
        self._cells = cells

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._cells is not None:
            self.files.update(found.decode() for found in self._cells.findall(data))
        return self._count(memoryview(data))

    def aside(self, buffer: Any) -> bool:
        try:
            view = buffer.raw()
        except BufferError:
            return True
        self._count(view)
        return False

    def _count(self, view: memoryview) -> int:
        self.size += view.nbytes
        if self.limit is not None and self.size > self.limit:
            raise _TooLarge
        self.hash.update(view)
        return view.nbytes


def _known_size(value: Any) -> int:
    """Bytes of a value that knows them without being pickled; 0 for any other."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    try:
        if hasattr(value, "memory_usage"):
            usage = value.memory_usage(deep=False)
            return int(usage.sum() if hasattr(usage, "sum") else usage)
        return int(getattr(value, "nbytes", 0))
    except (TypeError, ValueError):
        return 0
