"""Has the template import what the notebook has imported, while nobody waits for it: for the nodes that start next."""

from __future__ import annotations

import sys

from skyward_jupyter.agent.preload import Libraries, checked_preload
from skyward_jupyter.config import Skyward
from skyward_jupyter.errors import UsageError
from skyward_jupyter.fleets import preloading
from skyward_jupyter.runtime.bridge import runtime


class Imported:
    """What the notebook has imported, as the template was told last.

    Parameters
    ----------
    settings
        Those of the notebook; what they say of preloading holds for the next pool.
    """

    def __init__(self, settings: Skyward) -> None:
        self._settings = settings
        self._looked: object = None
        self._told: object = None

    def after_cell(self, *_: object) -> None:
        """Look, where a cell may have changed what the next nodes are to be born with, and tell what is new."""
        try:
            wanted = checked_preload(self._settings.value("preload"))
        except UsageError:
            return  # the start of a pool says so
        surroundings = preloading.surroundings()
        if (looked := (wanted, surroundings, len(sys.modules))) == self._looked:
            return
        self._looked = looked
        libraries = preloading.imported()
        if (told := (wanted, surroundings, libraries)) != self._told:
            self._told = told
            runtime().call_soon(_tell, wanted, libraries)


def _tell(wanted: bool | tuple[str, ...], libraries: Libraries) -> None:
    if not preloading.follow(libraries):
        preloading.prepare(wanted, libraries)
