"""The names of pools that were given none: after the notebook or program, and unlike those of all others.

`search.ipynb` has `search`, then `search-2`. A name is had by a pool that runs, here or in another process of this user
on this machine, and by one that another notebook left; a kernel that was restarted finds the names of its former pools
free, as it replaces these.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING
from weakref import WeakSet

from skyward_jupyter.api import registry
from skyward_jupyter.errors import SkywardError
from skyward_jupyter.providers import records
from skyward_jupyter.runtime.origin import origin

if TYPE_CHECKING:
    from skyward_jupyter.api.life import Life

#: A number may follow within the 32 characters that a name has.
_LONGEST = 24
_ANY = "pool"

#: The pools without a name of their own that are still to be started.
_new: WeakSet[Life] = WeakSet()


def new_name() -> str:
    """Return a name that no pool has now."""
    stem = _plain(origin().stem)
    taken = {pool.name for pool in registry.pools()} | {life.name for life in _new} | _recorded()
    return next(name for number in itertools.count(1) if (name := _numbered(stem, number)) not in taken)


def expect(life: Life) -> None:
    """Keep the name for a pool that may still be started."""
    _new.add(life)


def settled(life: Life) -> str:
    """Return the name with which a pool starts: the one it has, unless another pool has that by now."""
    _new.discard(life)
    taken = any(pool.name == life.name and pool.state != "taken" for pool in registry.pools())
    return new_name() if taken or life.name in _recorded() else life.name


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"


def _recorded() -> set[str]:
    try:
        return records.names()
    except (OSError, SkywardError):
        return set()  # the start says what is wrong with the directory


def _plain(text: str) -> str:
    """Return `text` as the name of a pool: letters first, then digits, hyphens and underscores too."""
    letters = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9_]+", "-", letters)
    return re.sub(r"^[^a-z]+", "", words)[:_LONGEST].rstrip("-_") or _ANY
