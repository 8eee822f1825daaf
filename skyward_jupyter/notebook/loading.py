"""The first Tab of a kernel: JupyterLab drops answers that take a second; jedi, which IPython asks, loads longer.

Until jedi is there, IPython's own completer of names and attributes answers in its place. Jedi is loaded by a thread
beside, from the first Tab on; nothing is asked of it meanwhile, as it serves one thread at a time.
"""

from __future__ import annotations

import contextlib
import threading
from importlib import import_module
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion


class Jedi:
    """What IPython's completer asks beside its own matchers."""

    def __init__(self, completer: Any) -> None:
        self._completer = completer
        matcher = completer._jedi_matcher
        self._name = str(getattr(matcher, "matcher_identifier", matcher.__qualname__))
        self._loading: threading.Thread | None = None
        self._left_out = False

    def is_there(self) -> bool:
        """Whether IPython asks it, or needs none; begins to load it if it is not."""
        if not self._completer.use_jedi or (self._name in self._completer.disable_matchers and not self._left_out):
            return True
        if self._loading is None:
            self._leave_out()
            self._loading = threading.Thread(target=_load, name="skyward-jedi", daemon=True)
            self._loading.start()
        if not self._loading.is_alive():
            self.let_in()
        return not self._left_out

    def instead(self, context: CompletionContext) -> Any:
        """What IPython's own completer of names and attributes says, in the form that jedi has: without a dot."""
        found = self._completer.python_matcher(context)
        words, fragment = list(found["completions"]), found.get("matched_fragment", "")
        if fragment.startswith(".") and all(word.text.startswith(".") for word in words):
            words = [SimpleCompletion(word.text[1:], type=word.type) for word in words]
            fragment = fragment[1:]
        return {**found, "completions": words, **({"matched_fragment": fragment} if words else {})}

    def let_in(self) -> None:
        """Have it asked."""
        if self._left_out:
            self._left_out = False
            self._completer.disable_matchers = [one for one in self._completer.disable_matchers if one != self._name]

    def _leave_out(self) -> None:
        self._left_out = True
        self._completer.disable_matchers = [*self._completer.disable_matchers, self._name]


def _load() -> None:
    """Do what it does at its first use."""
    with contextlib.suppress(Exception):  # what is wrong with it shows when it is asked
        jedi: Any = import_module("jedi")
        for one in jedi.Interpreter("impor", [{}]).complete()[:1]:
            str(one.type)
