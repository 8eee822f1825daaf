"""Pickling and loading run code of the user's, and what that raises concerns the one value, whatever it is.

SystemExit and KeyboardInterrupt out of a ``__reduce__`` or a ``__setstate__`` would end the event loop, or the slot,
in which a value happens to be pickled or loaded. Inside `contained` they become an error of that value.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def contained(doing: str, *, interruptible: bool = False) -> Iterator[None]:
    """Have what is no `Exception` raised as one; `doing` is ``"loading"`` or ``"pickling"``.

    In the caller's own thread, which a signal may interrupt, KeyboardInterrupt is `interruptible` and goes on.

    Raises
    ------
    pickle.PickleError
        Code of the value raised SystemExit, KeyboardInterrupt or the like.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if interruptible and isinstance(error, KeyboardInterrupt):
            raise
        text = str(error)
        raise pickle.PickleError(f"{doing} it raised {type(error).__name__}{': ' if text else ''}{text}") from error
