"""What a process is to its user: the notebook of a kernel, a program, or a prompt.

Only what the front end told the kernel at its start is used: nobody is asked, and nothing here can hang. A notebook
that is renamed keeps its former name here until its kernel is shut down.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

import psutil

from skyward_jupyter.runtime.shells import ipython_shell

#: What Jupyter Server says (the file's path, since version 2.0), and the variable that VS Code sets in the namespace.
JUPYTER, VSCODE = "JPY_SESSION_NAME", "__vsc_ipynb_file__"
_LAUNCHER = "JPY_PARENT_PID"
#: What Jupyter's collaboration puts before the path of a file.
_SHARED = "RTC:"


@dataclass(frozen=True, slots=True)
class Origin:
    """A process, as its user knows it.

    Attributes
    ----------
    name
        What it is called in sentences: the notebook's file name, where there is a notebook.
    stem
        What pools without a name are called after.
    notebook
        The notebook's path; empty where there is none, or none that is known.
    """

    name: str
    stem: str
    notebook: str = ""


def origin() -> Origin:
    """Return what this process is."""
    return _origin(os.getpid(), _session())


def connection_file() -> str:
    """Return the connection file of this kernel, which it keeps when it is restarted; empty outside kernels."""
    app: Any = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if app is None or not app.initialized():
        return ""
    return str(getattr(app.instance(), "abs_connection_file", ""))


@cache
def _origin(pid: int, session: str) -> Origin:
    path = PurePath(session)
    name = path.name.removeprefix(_SHARED)
    if path.suffix:
        return Origin(name, PurePath(name).stem, str(path))
    if connection_file():
        folder = _folder()
        return Origin(name or f"kernel {pid}{folder and f' in {folder}'}", name or folder)
    return _program(pid)


def _session() -> str:
    """Return the path of this kernel's notebook, or what its front end calls it; empty outside kernels."""
    shell: Any = ipython_shell()
    if not hasattr(shell, "kernel"):
        return ""
    told = shell.user_ns.get(VSCODE)
    if isinstance(told, str) and told:
        return told
    said = os.environ.get(JUPYTER, "")
    return "" if said and _is_inherited(os.getpid(), said) else said


@cache
def _is_inherited(pid: int, said: str) -> bool:
    """Return whether the name is that of another kernel, in which the program runs that started this one."""
    launcher = os.environ.get(_LAUNCHER, "")
    try:
        around = psutil.Process(int(launcher) if launcher.isdecimal() else os.getppid())
        return around.environ().get(JUPYTER) == said
    except psutil.Error:
        return False


def _folder() -> str:
    try:
        return os.path.basename(os.getcwd())
    except OSError:
        return ""


def _program(pid: int) -> Origin:
    if ipython_shell() is not None:
        return Origin(f"IPython {pid}", "ipython")
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    file = PurePath(sys.argv[0] if sys.argv and sys.argv[0] != "-c" else "")
    if spec is not None:
        module = str(spec.name).removesuffix(".__main__")
        return Origin(f"{module} (process {pid})", module.rpartition(".")[2])
    if not file.name:
        return Origin(f"process {pid}", "python")
    return Origin(f"{file.name} (process {pid})", file.stem)
