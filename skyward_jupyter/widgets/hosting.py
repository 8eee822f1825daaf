"""Where a live view is drawn, which depends on what is at the other end of the kernel.

JupyterLab, Notebook and what is built on them run the script of a widget as soon as there is one. So an output holds
text and HTML only, and the script draws the live view in their place: whatever is saved, and whenever, is readable. A
front end that does nothing of the kind shows the text and HTML, which are renewed.

VS Code and Colab run a widget's script only where an output names the widget, so there it is named beside them.

Who executes a notebook with nobody at it (nbclient, papermill, nbconvert) refuses to answer questions. It gets text and
HTML, and no widget at all: it would save all of a widget, script included, with the notebook.
"""

from __future__ import annotations

import sys
from typing import Any

from skyward_jupyter.runtime.cells import kernel_shell

type Bundle = dict[str, Any]

MIME = "application/vnd.jupyter.widget-view+json"
#: What tells the script of a view where it may draw.
ATTRIBUTE = "data-skyward"
_COLAB, _VSCODE = "google.colab", "__vsc_ipynb_file__"


def watched() -> bool:
    """Whether somebody may look at what is displayed now."""
    shell = kernel_shell()
    return shell is None or _names_widgets(shell) or bool(getattr(shell.kernel, "_allow_stdin", True))


def joined(still: Bundle, place: str, model: str) -> Bundle:
    """The forms that need no kernel, with where the view called `place` is drawn while it lives."""
    if _names_widgets(kernel_shell()):
        return {**still, MIME: {"version_major": 2, "version_minor": 0, "model_id": model}}
    return {**still, "text/html": f'<div {ATTRIBUTE}="{place}">{still["text/html"]}</div>'}


def has_areas() -> bool:
    """Whether the front end may have areas beside the notebook, as JupyterLab has."""
    shell = kernel_shell()
    return shell is not None and watched() and not _names_widgets(shell)


def redraws() -> bool:
    """Whether a widget that is displayed is drawn anew whenever its output is replaced."""
    return _names_widgets(kernel_shell())


def metadata() -> dict[str, Any]:
    """What has to be said beside a bundle: Colab wants to know who draws widgets that are not its own."""
    if _COLAB not in sys.modules:
        return {}
    from anywidget._util import get_repr_metadata

    said: dict[str, Any] = get_repr_metadata()
    return said


def _names_widgets(shell: Any) -> bool:
    """Whether widgets are drawn only where an output names them."""
    return _COLAB in sys.modules or (shell is not None and _VSCODE in shell.user_ns)
