"""How a failed cell looks: one traceback per distinct cause, with the nodes it happened on, and no frame of ours."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skyward_jupyter.agent.cells import CellError
from skyward_jupyter.agent.failure import retrace
from skyward_jupyter.errors import CellFailed, RemoteError, SkywardError, TaskInterrupted
from skyward_jupyter.notebook.ranks import label, spoken
from skyward_jupyter.wire.codec import loads
from skyward_jupyter.wire.exceptions import assign

#: How many causes are shown with their traceback, and how many differing messages of one cause.
CAUSES = 5
MESSAGES = 8
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

#: What ended a node's part of a cell: user code, or something around it.
type Failed = CellError | BaseException


@dataclass(slots=True)
class Cause:
    """The same failure on some nodes: the same type raised at the same place."""

    name: str
    traceback: str
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def ranks(self) -> list[int]:
        """The nodes it happened on."""
        return sorted(self.texts)

    def text(self) -> str:
        """Type and message."""
        first = self.ranks[0]
        text = self.texts[first]
        return _joined(self.name, text if len(self.texts) == 1 else _anywhere(text, first))

    def headline(self) -> str:
        """Nodes, type and message: ``[0,2-3] ZeroDivisionError: division by zero``."""
        return f"{label(self.ranks)} {self.text()}"


def causes_of(failed: Mapping[int, Failed]) -> list[Cause]:
    """The distinct causes, in the order of their first nodes."""
    found: dict[object, Cause] = {}
    for rank, error in sorted(failed.items()):
        if isinstance(error, CellError):
            name, text, shown = error.name, error.text, error.traceback
            key: object = (name, error.places)
        else:
            name, text = type(error).__name__, _text_of(error)
            shown = _remote(error)
            key = (name, _anywhere(text, rank))
        found.setdefault(key, Cause(name, shown)).texts[rank] = text
    return list(found.values())


def rendered(causes: list[Cause]) -> list[str]:
    """The causes as lines for a notebook's error output."""
    lines: list[str] = []
    for cause in causes[:CAUSES]:
        lines.append(cause.headline())
        if plain(cause.traceback).strip() not in ("", cause.text()):
            lines.append(cause.traceback.rstrip("\n"))
        lines += _differing(cause)
        lines.append("")
    lines += [cause.headline() for cause in causes[CAUSES:]]
    return lines[:-1] if lines and not lines[-1] else lines


def stopped_by(error: Failed) -> bool:
    """Whether it is what an interrupt made of a node's part."""
    return error.interrupted if isinstance(error, CellError) else isinstance(error, TaskInterrupted)


def cell_failed(failed: Mapping[int, Failed], total: int, stopped: Sequence[int] = ()) -> CellFailed:
    """The error that a cell raises here for what happened on its nodes; `stopped` were interrupted because of it."""
    causes = causes_of(failed)
    of = f" of {total}" if total > 1 else ""
    parts = [f"{cause.text()} (on {spoken(cause.ranks)}{of})" for cause in causes[:CAUSES]]
    more = f"; and {len(causes) - CAUSES} other causes" if len(causes) > CAUSES else ""
    errors = {rank: _exception(rank, error) for rank, error in failed.items()}
    lines = rendered(causes)
    if stopped:
        lines += ["", f"{spoken(stopped)} {'was' if len(stopped) == 1 else 'were'} interrupted: the cell fails fast"]
    return shown_as(CellFailed("; ".join(parts) + more, errors), lines)


def interrupted(failed: Mapping[int, Failed], ranks: list[int]) -> KeyboardInterrupt:
    """What an interrupted cell raises: KeyboardInterrupt, showing where its nodes were."""
    sentence = f"the cell was interrupted on {spoken(ranks)}" if ranks else "the cell was interrupted"
    lines = [f"KeyboardInterrupt: {sentence}"]
    if failed:
        lines += ["", *rendered(causes_of(failed))]
    error = shown_as(KeyboardInterrupt(sentence), lines)
    error.nodes = {rank: _exception(rank, one) for rank, one in failed.items()}  # type: ignore[attr-defined]
    return error


def in_a_sentence(error: SkywardError) -> SkywardError:
    """`error`, shown as its type and its message alone: where it was raised in here tells the user nothing."""
    return shown_as(error, [_joined(type(error).__name__, str(error))])


def shown_as[E: BaseException](error: E, lines: list[str]) -> E:
    """`error`, which IPython will show as these lines."""
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error


def plain(text: str) -> str:
    """`text` without colours."""
    return _ANSI.sub("", text)


def _differing(cause: Cause) -> list[str]:
    first = cause.ranks[0]
    same = _anywhere(cause.texts[first], first)
    others = [(rank, text) for rank, text in sorted(cause.texts.items()) if _anywhere(text, rank) != same]
    lines = [f"{label([rank])} {_joined(cause.name, text)}" for rank, text in others[:MESSAGES]]
    if len(others) > MESSAGES:
        lines.append(f"… and on {len(others) - MESSAGES} other nodes")
    return lines


def _anywhere(text: str, rank: int) -> str:
    """A message without the number of the node it is about."""
    return re.sub(rf"\bnode {rank}\b", "the node", text)


def _exception(rank: int, error: Failed) -> BaseException:
    if not isinstance(error, CellError):
        return error
    try:
        loaded = loads(error.pickled) if error.pickled is not None else None
    except BaseException:  # whatever code of it raised
        loaded = None
    if not isinstance(loaded, BaseException):
        loaded = RemoteError(error.name, error.text, rank)
    retrace(loaded, error.stacks, error.variables)
    assign(loaded, "__notes__", [*getattr(loaded, "__notes__", ()), f"raised on node {rank}"])
    return loaded


def _remote(error: BaseException) -> str:
    """The traceback of an error that is not of the cell itself; those of this project need none."""
    if isinstance(error, SkywardError):
        return ""
    text = getattr(error, "remote_traceback", None)
    return text if isinstance(text, str) else "".join(traceback.format_exception_only(error))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be shown)"


def _joined(name: str, text: str) -> str:
    return f"{name}: {text}" if text else name
