"""Takes over what tqdm draws in a session.

tqdm is user code and is not imported here: it is patched when the user's code imports it. That holds for bars on this
process's own standard streams; a bar on any other file, in another process, or of a class that draws by itself stays
as it is. ``tqdm.notebook`` gives plain bars here, as a node has no page to put a widget on.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from skyward_jupyter.agent.progress import Bars


def watch(bars: Bars) -> None:
    """Have `bars` take over tqdm's bars, as soon as user code has imported it."""
    for name, patch in _PATCHES.items():
        if (module := sys.modules.get(name)) is not None:
            patch(module, bars)
    sys.meta_path.insert(0, _Finder(bars))


class _Finder:
    """Looks at what is imported, and has modules of tqdm patched when they have run."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own, with its end watched; None for every other module."""
        patch = _PATCHES.get(name)
        if patch is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        loader: Any = spec.loader if spec is not None else None
        if loader is None:
            return None
        execute = loader.exec_module

        def then_patch(module: ModuleType) -> None:
            execute(module)
            patch(module, self._bars)

        loader.exec_module = then_patch
        return spec


def _patch_std(module: ModuleType, bars: Bars) -> None:
    kind: Any = vars(module)["tqdm"]
    display, clear, close = kind.display, kind.clear, kind.close

    def sky_display(self: Any, msg: str | None = None, pos: int | None = None) -> Any:
        if (closing := vars(self).get("_sky_closing")) is not None:
            closing.append(True)
            return True
        if not bars.takes(self):
            return display(self, msg, pos)
        bars.show(self)
        return True

    def sky_clear(self: Any, nolock: bool = False) -> None:
        if not bars.knows(self):
            clear(self, nolock)

    def sky_close(self: Any) -> None:
        if vars(self).get("disable", True) or not bars.takes(self):
            close(self)
            return
        shown: list[bool] = []
        file, self.fp, self._sky_closing = self.fp, _Nowhere(), shown
        try:
            close(self)
        finally:
            self.fp, self._sky_closing = file, None
            # one that an earlier cell left, and that did not move since, just goes away now
            if bars.knows(self) or (shown and vars(self).get("_sky_seen") != self.n):
                bars.close(self)

    kind.display, kind.clear, kind.close = sky_display, sky_clear, sky_close


def _patch_notebook(module: ModuleType, _bars: Bars) -> None:
    from tqdm import std

    class tqdm_notebook(std.tqdm):  # type: ignore[type-arg]  # noqa: N801  the name it has in tqdm
        """tqdm's own bar in place of the one that needs a page."""

        def __init__(self, *args: Any, **named: Any) -> None:
            named.pop("display", None)
            super().__init__(*args, **named)

    def tnrange(*args: int, **named: Any) -> Any:
        return tqdm_notebook(range(*args), **named)

    names = vars(module)
    names["tqdm"] = names["tqdm_notebook"] = tqdm_notebook
    names["trange"] = names["tnrange"] = tnrange
    names["IProgress"] = names.get("IProgress") or object  # what tqdm.auto asks for before it takes these


_PATCHES: dict[str, Callable[[ModuleType, Bars], None]] = {"tqdm.std": _patch_std, "tqdm.notebook": _patch_notebook}


class _Nowhere:
    """A file that takes what tqdm writes when a bar ends."""

    def write(self, _text: str) -> None:
        """Take it."""

    def flush(self) -> None:
        """Nothing is kept."""
