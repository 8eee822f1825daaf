"""What a session says of the names in it: IPython's own completer and inspector, between two cells and beside one.

Imported in a session process only. Nothing is evaluated that they do not evaluate in any IPython, and a session
that has run no cell yet says nothing. Beside a cell no object is asked for its text, which may change while it is told.
"""

from __future__ import annotations

from importlib import import_module
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from IPython.core.completer import provisionalcompleter, rectify_completions

from skyward_jupyter.agent.questions import Answer, Completing, Inspecting, Offered, answered, question_in
from skyward_jupyter.agent.session import current
from skyward_jupyter.agent.shell import SessionShell

# What completer and inspector import when they are first used: the template has it then.
for _name in ("IPython.core.guarded_eval", "IPython.core.latex_symbols", "pygments.formatters.terminal256"):
    import_module(_name)

#: What is told of without a text of its own.
_STILL = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
#: So many completions are sent.
_MOST = 1_000


def answer(question: bytes, *, busy: bool = False) -> bytes:
    """The answer to a question; `busy` while a cell runs in the session."""
    session = current()
    return answered(None if session is None else _answer(session.shell, question, busy))


def _answer(shell: SessionShell, question: bytes, busy: bool) -> Answer:
    match question_in(question):
        case Completing(code, cursor):
            return _completed(shell, code, cursor)
        case Inspecting(name, detail):
            if busy and not isinstance(shell._ofind(name).obj, _STILL):
                return None
            return _inspected(shell, name, detail)


def _completed(shell: SessionShell, code: str, cursor: int) -> Offered:
    with provisionalcompleter():
        found = shell.Completer.completions(code, cursor)
        offered = list(islice(rectify_completions(code, found), _MOST))
    start = offered[0].start if offered else cursor
    return Offered(start, tuple((it.text, it.type or "") for it in offered if it.end == cursor))


def _inspected(shell: SessionShell, name: str, detail: int) -> dict[str, str] | None:
    try:
        bundle = shell.object_inspect_mime(name, detail_level=detail)
    except KeyError:
        return None
    return {kind: str(value) for kind, value in bundle.items()}
