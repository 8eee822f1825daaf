"""A session: the lasting namespace of ``%%sky`` cells on one node, and the running of a cell in it.

Imported in a session process only. `run_cell` never raises for what user code does: the outcome says it. It raises
only when it is itself interrupted, or is given something that is not a cell.
"""

from __future__ import annotations

import dis
import io
import types
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from skyward_jupyter.agent import outlet
from skyward_jupyter.agent.cells import CellOutcome, CellRequest, Holdings, fingerprint
from skyward_jupyter.agent.forks import end, forked
from skyward_jupyter.agent.progress import Bars
from skyward_jupyter.agent.raised import described
from skyward_jupyter.agent.shell import SessionShell, make_shell
from skyward_jupyter.agent.tqdm_bars import watch
from skyward_jupyter.wire.attributes import with_attributes
from skyward_jupyter.wire.blame import explain

_IPYTHONS = ("In", "Out", "exit", "quit", "get_ipython", "_exit_code")


class Session:
    """The shell of this process and what the notebook has set in it."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.shell: SessionShell = make_shell()
        self.digests: dict[str, str] = {}
        self.bars = Bars(outlet.display)
        watch(self.bars)

    def run(self, request: CellRequest) -> CellOutcome:
        """Set the names the request brings, run its cell and say how it ended."""
        missing = self._missing(request)
        if missing:
            return CellOutcome(self.id, missing=missing)
        names = self.shell.user_ns
        names.update(request.values)
        for name in request.values:
            self.digests.pop(name, None)
        self.digests.update(request.digests)
        for file, (label, text) in request.sources.items():
            self.shell.know_source(file, label, text)
        self._dress(request)
        before = dict(names)
        self.bars.begin()
        error = self.shell.run_source(request.source)
        if forked():
            end(error, self.shell.failure[1] if self.shell.failure is not None else "")
        self.bars.finish(error)
        bound = self._bound(before, () if error else request.binds)
        for name in bound:
            self.digests.pop(name, None)
        outs, refused = ({}, {}) if error else self._outs(request.outs)
        value = self._value(request, refused) if request.wants_value and not error else None
        return CellOutcome(
            self.id,
            shown=self.shell.shown,
            value=value,
            outs=outs,
            refused=refused,
            bound={name: fingerprint(names[name]) for name in bound},
            deleted=tuple(name for name in before if name not in names),
            error=described(error, self.shell) if error is not None else None,
        )

    def holdings(self) -> Holdings:
        """What is there."""
        names = {
            name: value
            for name, value in self.shell.user_ns.items()
            if name not in self.shell.user_ns_hidden and name not in _IPYTHONS
            if name.strip("_") and not name.startswith("__")
        }
        return Holdings(
            self.id,
            sent={name: digest for name, digest in self.digests.items() if name in names},
            owned={name: fingerprint(value) for name, value in names.items() if name not in self.digests},
            functions={
                name: frozenset(_globals_of(value.__code__))
                for name, value in names.items()
                if isinstance(value, types.FunctionType) and value.__module__ == "__main__"
            },
        )

    def _missing(self, request: CellRequest) -> tuple[str, ...]:
        names = self.shell.user_ns
        gone = [name for name, digest in request.expects.items() if self.digests.get(name) != digest]
        return tuple({*gone, *(name for name in (*request.expects, *request.keeps) if name not in names)})

    def _dress(self, request: CellRequest) -> None:
        """Show tracebacks as the notebook does."""
        shell = self.shell
        if request.colours and shell.colors != request.colours:
            shell.colors = request.colours
        if request.mode and shell.InteractiveTB.mode != request.mode:
            shell.InteractiveTB.set_mode(request.mode)

    def _bound(self, before: Mapping[str, object], certain: tuple[str, ...]) -> list[str]:
        names, hidden = self.shell.user_ns, self.shell.user_ns_hidden
        absent = object()
        return [
            name
            for name, value in names.items()
            if (before.get(name, absent) is not value or name in certain)
            and name not in _IPYTHONS
            and name not in hidden
            and name.strip("_")
        ]

    def _outs(self, wanted: tuple[str, ...]) -> tuple[dict[str, object], dict[str, str]]:
        names = self.shell.user_ns
        outs: dict[str, object] = {}
        refused: dict[str, str] = {}
        for name in wanted:
            if name not in names:
                refused[name] = "has no such name: the cell, or one before it, must bind it there"
            elif (reason := unpicklable(name, names[name])) is not None:
                refused[name] = reason
            else:
                outs[name] = names[name]
        return outs, refused

    def _value(self, request: CellRequest, refused: dict[str, str]) -> object:
        last = self.shell.last_execution_result
        value = last.result if last is not None else None
        reason = unpicklable("the last expression", value)
        if reason is not None:
            refused[""] = reason
            return None
        return value


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing: for finding out whether something can be pickled."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def unpicklable(name: str, value: object) -> str | None:
    """Why `value` cannot leave the node, as a sentence; None when it can."""
    try:
        with_attributes(lambda make: make(_Nowhere(), buffer_callback=lambda _: None).dump(value))
    except BaseException:
        error = explain(name, value)
        return f"{error.path} (a {error.kind}) cannot leave the node: {error.reason}"
    return None


def _globals_of(code: types.CodeType) -> Iterator[str]:
    """The global names that code reads, with the functions inside it."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


@cache
def _session() -> Session:
    return Session()


def current() -> Session | None:
    """This process's session, if it was made."""
    return _session() if _session.cache_info().currsize else None


def run_cell(request: CellRequest) -> CellOutcome:
    """Run a cell in this process's session, which is made on first use."""
    return _session().run(request)


def holdings() -> Holdings:
    """What this process's session has."""
    return _session().holdings()
