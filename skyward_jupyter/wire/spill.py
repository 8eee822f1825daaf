"""The second place of a pool's files: a directory on a disk, for what has no room in shared memory.

It has the name of the pool's own directory, which has a link to it; both are their user's alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from skyward_jupyter.wire.holds import hold, let_go

_LINK = "spill"


def add_spill(store: Path, base: Path) -> None:
    """Give a pool's directory a second place in `base`; where none can be made it has none."""
    place = base / store.name
    with contextlib.suppress(OSError):
        place.mkdir(mode=0o700)
        os.symlink(place, store / _LINK)


def spill_of(store: Path) -> Path | None:
    """The second place of a pool's directory, if it has one."""
    try:
        place = Path(os.readlink(store / _LINK))
    except OSError:
        return None
    return place if place.name == store.name else None


def hold_store(store: str, after: float = 0.0) -> None:
    """Hold a pool's directory and its second place; see `skyward_jupyter.wire.holds`."""
    for place in (Path(store), spill_of(Path(store))):
        if place is not None:
            hold(place, after)


def let_store_go(store: str) -> None:
    """Hold neither any longer, although another process may have removed the first, which names the second."""
    let_go(Path(store).name)


def remove_store(store: str) -> None:
    """Remove a pool's directory and its second place."""
    let_store_go(store)
    spill = spill_of(Path(store))
    if spill is not None:
        shutil.rmtree(spill, ignore_errors=True)
    shutil.rmtree(store, ignore_errors=True)
