"""How an error is shown to the user: their own frames, and what to write instead; none of the frames of this project.

It is done where an error is about to be shown: by Python at the end of a program or a thread, by IPython below a cell.
An error that is caught is left as it is. ``SKYWARD_TRACEBACKS=full`` in the environment, or
``%config Skyward.full_tracebacks = True``, shows everything.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from skyward_jupyter.advice import advice_for
from skyward_jupyter.runtime.shells import ipython_shell

SWITCH = "SKYWARD_TRACEBACKS"
_HERE = Path(__file__).parent
_OURS = (str(_HERE) + os.sep, str(_HERE.with_name("skyward")) + os.sep)
#: What carries an error between threads and loops; it belongs to ours where it is called by ours, or calls ours.
_CARRIERS = (
    os.path.dirname(asyncio.__file__) + os.sep,
    os.path.dirname(concurrent.futures.__file__) + os.sep,
    threading.__file__,
)
_CARRIER_NAMES = ("nest_asyncio2", "greenlet")
#: What only a mistake of ours raises in a frame of ours: it is shown whole.
_BUGS = (AssertionError, NameError)
_MOST = 100
_MARK = "_skyward_trims"

_all = False


def show_all(wanted: bool) -> None:
    """Show the frames of this project too, or not."""
    global _all
    _all = wanted


def trim[E: BaseException](error: E) -> E:
    """`error`, those behind it and its parts, without frames of ours."""
    if not is_full():
        for one in islice(_related(error, set()), _MOST):
            tb = one.__traceback__
            if tb is not None and not _is_bug(one, tb):
                one.__traceback__ = without_ours(tb) or tb
        _advise(error)
    return error


def without_ours(tb: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this project and of what carried the error for it; None if it has no other."""
    links = list(_links(tb))
    kept = [link for run in _runs(links) for link in ([] if any(map(_is_ours, run)) else run)]
    if len(kept) == len(links):
        return tb
    made: TracebackType | None = None
    for link in reversed(kept):
        made = TracebackType(made, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return made


def is_file_of_ours(file: str) -> bool:
    """Whether code is of this project."""
    return file.startswith(_OURS)


def is_full() -> bool:
    """Whether everything is to be shown."""
    return _all or os.environ.get(SWITCH, "").lower() == "full"


def install() -> None:
    """Have Python show errors so, at the end of a program and of a thread; in a notebook, the shell too."""
    if getattr(sys, _MARK, False):
        return
    setattr(sys, _MARK, True)
    former, former_of_thread = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        trim(error)
        former(kind, error, error.__traceback__ if tb is not None else tb)

    def hook_of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            value = trim(args.exc_value)
            args = threading.ExceptHookArgs((args.exc_type, value, value.__traceback__, args.thread))
        former_of_thread(args)

    sys.excepthook, threading.excepthook = hook, hook_of_thread
    shell = ipython_shell()
    if shell is not None:
        install_in(shell)


def install_in(shell: Any) -> Callable[[], None]:
    """Have IPython show errors so; returns what takes it back."""
    if getattr(shell, _MARK, False):
        return lambda: None
    former = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        kind, error, tb = exc_tuple or sys.exc_info()
        if error is None and isinstance(last := getattr(sys, "last_value", None), shell.custom_exceptions):
            shell.CustomTB(type(last), last, last.__traceback__)  # which IPython itself forgets
            return None
        if error is not None and error.__traceback__ is not None:
            whole = error.__traceback__
            trim(error)
            tb = error.__traceback__ if tb is whole or exc_tuple is None else without_ours(tb) or tb
            if (theirs := getattr(error, "_debugged_as_", None)) is not None:
                error.__traceback__ = tb = theirs
            exc_tuple = (kind, error, tb)
        return former(exc_tuple, *args, **kwargs)

    def undo() -> None:
        if shell.__dict__.get("showtraceback") is showtraceback:
            del shell.showtraceback
        setattr(shell, _MARK, False)

    shell.showtraceback = showtraceback
    setattr(shell, _MARK, True)
    return undo


def _links(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _runs(links: list[TracebackType]) -> Iterator[list[TracebackType]]:
    """Consecutive links of the user's, and consecutive ones of ours and of carriers, in turn."""
    run: list[TracebackType] = []
    mixed = False
    for link in links:
        passes = _is_ours(link) or _carries(link)
        if run and passes is not mixed:
            yield run
            run = []
        mixed = passes
        run.append(link)
    if run:
        yield run


def _is_ours(link: TracebackType) -> bool:
    return is_file_of_ours(link.tb_frame.f_code.co_filename)


def _carries(link: TracebackType) -> bool:
    file = link.tb_frame.f_code.co_filename
    return file.startswith(_CARRIERS) or any(name in file for name in _CARRIER_NAMES)


def _is_bug(error: BaseException, tb: TracebackType) -> bool:
    return isinstance(error, _BUGS) and _is_ours(list(_links(tb))[-1])


def _related(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _related(part, seen)
        if error.__cause__ is not None:
            yield from _related(error.__cause__, seen)
        error = None if error.__suppress_context__ else error.__context__


def _advise(error: BaseException) -> None:
    """Note what to write instead, where Python itself refused what was written."""
    advice = _absent(error) if isinstance(error, NameError) else ""
    if not advice and type(error) in (TypeError, NameError):
        advice = advice_for(error)
    if advice and advice not in getattr(error, "__notes__", ()):
        error.add_note(advice)


def _absent(error: NameError) -> str:
    """What to do where the notebook has no name `pool`: its pool was stopped, or none was started."""
    shell = ipython_shell()
    loaded = getattr(shell, "_skyward_loaded", None)
    links = list(_links(error.__traceback__))
    if loaded is None or not links or links[-1].tb_frame.f_globals is not shell.user_ns:
        return ""
    return str(loaded.notebook.at_hand.absent(error.name))
