"""Plain values that the notebook gave to names of an own module after importing it, as in ``config.RATE = 5``.

Nodes import the module from its file, so they do not have them. What a module's own functions assign is its own affair.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from skyward_jupyter.wire.imports import Recorder, Source

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_ABSENT = object()


class Settings:
    """Remembers the plain values that modules have after their import."""

    def __init__(self) -> None:
        self._after: dict[str, tuple[str, dict[str, object]]] = {}

    def look(self, recorder: Recorder) -> Iterator[tuple[str, str]]:
        """Yield the module and the name of each plain value that is another one than after the import, once."""
        for name, source in list(recorder.sources.items()):
            module = sys.modules.get(name)
            if module is None:
                continue
            known = self._after.get(name)
            if known is None or known[0] != source.digest:
                plain = {key: value for key, value in vars(module).items() if isinstance(value, _PLAIN)}
                self._after[name] = source.digest, {key: it for key, it in plain.items() if not key.startswith("__")}
                continue
            for key, before in list(known[1].items()):
                now = vars(module).get(key, _ABSENT)
                if now is not before and now != before:
                    del known[1][key]
                    if not _assigns(source, key):
                        yield name, key


def _assigns(source: Source, name: str) -> bool:
    """Return whether functions of a module assign one of its global names."""
    try:
        tree = ast.parse(source.content)
    except (SyntaxError, ValueError):
        return True
    return any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(tree))
