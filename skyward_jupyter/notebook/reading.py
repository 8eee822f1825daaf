"""What a cell is before IPython reads it: a question for help, one for the nodes while ``%sky on`` holds, or itself.

Only what a person runs is looked at: not what front ends ask for silently, nor code that a cell has transformed.
"""

from __future__ import annotations

import re
from typing import Any

from skyward_jupyter.notebook import help
from skyward_jupyter.notebook.state import Notebook

_OURS = re.compile(r"^\s*([\w.,\s\[\]'\"]+=\s*)?%%?sky\b", re.MULTILINE)
_MAGIC = re.compile(r"%(%?)(\w+)")
#: Magics that are about the notebook, or about the page it is on.
_HERE = frozenset(
    re.findall(
        r"\w+",
        "alias autoreload colors config connect_info debug edit gui history hist html HTML javascript js latex load "
        "load_ext loadpy lsmagic macro magic markdown notebook page pastebin precision qtconsole quickref recall "
        "reload_ext rep rerun save SVG svg unload_ext xmode",
    )
)


class CellReader:
    """Reads the cells of one notebook; IPython calls it with the lines of each.

    Attributes
    ----------
    has_side_effects
        Has IPython leave it out where it only asks whether a cell is complete.
    """

    has_side_effects = True

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines of a cell as they are to be read."""
        if self._notebook.depth or not lines:
            return lines
        magic, *words = lines[0].split() or [""]
        if magic == "%%sky" and any(flag in words for flag in help.FLAGS):
            return ["%sky help cell\n"]
        remote = self._notebook.remote
        if remote is None or not self._typed() or stays(self._notebook, lines):
            return lines
        return [f"%%sky --plain {remote.line}\n", *lines]

    def _typed(self) -> bool:
        """Whether somebody ran a cell, as opposed to what a front end asks for by itself."""
        kernel: Any = getattr(self._notebook.shell, "kernel", None)
        if kernel is None:
            return True
        content = kernel.get_parent("shell").get("content", {})
        return not content.get("silent") and bool(content.get("store_history", True))


def stays(notebook: Notebook, lines: list[str]) -> bool:
    """Whether a cell runs here although plain ones do not."""
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not code:
        return True
    first = _MAGIC.match(code[0])
    if first is not None and first[1]:
        return first[2] == "sky" or first[2] in _HERE or not _is_ipythons(notebook, first[2])
    if _OURS.search("".join(lines)):
        return True
    magics = [_MAGIC.match(line.lstrip()) for line in code]
    return all(found is not None and found[2] in _HERE for found in magics)


def _is_ipythons(notebook: Notebook, name: str) -> bool:
    """Whether a cell magic is one that every IPython has, and so the nodes'."""
    magic = notebook.shell.magics_manager.magics["cell"].get(name)
    owner = getattr(magic, "__self__", magic)
    return type(owner).__module__.startswith("IPython.") or getattr(owner, "__module__", "").startswith("IPython.")
