"""What is said of nodes that have failed while others still run: each cause with its traceback, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skyward_jupyter.notebook import broadcasts
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.tracebacks import Cause, Failed, causes_of, plain, rendered


class Early:
    """Says it for one cell or call.

    Parameters
    ----------
    advice
        What would have those that run stop, as the beginning of a sentence that ends in "it" or "them".
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._shown: set[tuple[str, str]] = set()

    def of_cell(self, failed: Mapping[int, Failed], running: Iterable[int], *, stopping: bool) -> str:
        """What has failed since it was last asked, and who still runs, or is `stopping`."""
        return self._text(causes_of(failed), failed, running, stopping)

    def of_broadcast(self, errors: Mapping[int, BaseException], running: Iterable[int], *, stopping: bool) -> str:
        """The same for a call, whose errors are shown as this notebook shows them, if it is one."""
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        causes = broadcasts.causes(shell, dict(errors)) if shell is not None else causes_of(dict(errors))
        return self._text(causes, errors, running, stopping)

    def _text(self, causes: list[Cause], failed: Iterable[int], running: Iterable[int], stopping: bool) -> str:
        for cause in causes:
            key = cause.name, plain(cause.traceback).rstrip().rpartition("\n")[0]
            if key in self._shown:
                cause.traceback = ""
            self._shown.add(key)
        those = sorted(running)
        one = len(those) == 1
        if stopping:
            goes_on = f"{spoken(those)} {'is' if one else 'are'} being interrupted"
        else:
            waits = f"{spoken(those)} still {'runs and is' if one else 'run and are'} waited for"
            goes_on = f"{waits}; {self._advice} {'it' if one else 'them'}"
        return "\n".join([*rendered(causes), f"{spoken(failed)} failed; {goes_on}", ""])
