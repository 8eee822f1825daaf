"""The part of a ``%%sky --local`` cell that runs in the notebook, beside the nodes, with a label of its own.

It begins once the nodes have been sent the cell, so that both begin with the same values. What it raises is shown like
an error of a node, labelled ``[here]``.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, TracebackType
from typing import Any

from skyward_jupyter.agent.cells import Source
from skyward_jupyter.notebook.displays import quiet_line
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.tracebacks import shown_as
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.interrupts import on_sigint, raising_sigint
from skyward_jupyter.tasks import promise

#: The label of what is shown of it.
LABEL = "[here]"
_BEGINNINGS = re.compile(r"(?<=[\n\r])(?=[^\n\r])")
_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Here:
    """Runs a cell in the notebook's own namespace.

    Attributes
    ----------
    error
        What it raised, which shows itself with its label.
    """

    def __init__(self, notebook: Notebook, source: Source, tree: ast.Module) -> None:
        shell: Any = notebook.shell
        self._shell = shell
        self._source = source
        self._file = str(shell.compile.cache(source.written, source.number))
        body, last = list(shell.transform_ast(tree).body), None
        if body and isinstance(body[-1], ast.Expr):
            last = compile(ast.Expression(body.pop().value), self._file, "eval", _AWAIT, dont_inherit=True)
        self._last: CodeType | None = last
        self._body: CodeType = compile(ast.Module(body, []), self._file, "exec", _AWAIT, dont_inherit=True)
        self.error: BaseException | None = None

    @property
    def awaits(self) -> bool:
        """Whether it awaits something at its top level."""
        codes = [code for code in (self._body, self._last) if code is not None]
        return any(code.co_flags & inspect.CO_COROUTINE for code in codes)

    def run_blocking(self) -> None:
        """`run`, where nobody can await it; what it awaits itself, IPython's own loop does."""
        if self.awaits:
            self._shell.loop_runner(self.run())
            return
        with contextlib.suppress(StopIteration):
            self.run().send(None)

    async def run(self) -> None:
        """Run it; what it raises is kept."""
        with ExitStack() as stack:
            for stream in ("stdout", "stderr"):
                stack.enter_context(_labelled(stream))
            stack.enter_context(_labelled_displays(self._shell))
            try:
                await self._evaluated(self._body)
                value = await self._evaluated(self._last) if self._last is not None else None
                _show_figures(self._shell)
            except asyncio.CancelledError as error:
                self.error = self._shown(KeyboardInterrupt().with_traceback(error.__traceback__))
                return
            except BaseException as error:
                self.error = self._shown(error)
                return
        try:
            self._show(value)
        except Exception as error:
            self.error = self._shown(error)

    async def _evaluated(self, code: CodeType) -> Any:
        """What code gives; an interrupt raises in it, and cancels what it awaits."""
        with raising_sigint():
            value = eval(code, self._shell.user_global_ns, self._shell.user_ns)
        if not code.co_flags & inspect.CO_COROUTINE:
            return value
        work = promise(value)

        def stop() -> None:
            work.get_loop().call_soon_threadsafe(work.cancel)

        with on_sigint(stop):
            return await work

    def _show(self, value: object) -> None:
        """Show the value of the last expression, as nodes' are."""
        if value is None or self._shell.displayhook.semicolon_at_end_of_expression(self._source.code):
            return
        data, metadata = self._shell.display_formatter.format(value)
        publish = self._shell.display_pub.publish
        if set(data) == {"text/plain"}:
            text = data["text/plain"]
            publish({"text/plain": f"{LABEL}{chr(10) if chr(10) in text else ' '}{text}"}, metadata)
        elif data:
            publish(*quiet_line(LABEL))
            publish(data, metadata)

    def _shown(self, error: BaseException) -> BaseException:
        tb = _from(error.__traceback__, self._file)
        lines = self._shell.InteractiveTB.structured_traceback(type(error), error, tb)
        name, text = type(error).__name__, str(error)
        return shown_as(error, [f"{LABEL} {name}: {text}" if text else f"{LABEL} {name}", *lines])


def lines_of(error: BaseException) -> list[str]:
    """How an error shows itself."""
    render: Any = getattr(error, "_render_traceback_", lambda: [f"{type(error).__name__}: {error}"])
    return list(render())


def _show_figures(shell: Any) -> None:
    """Show what was drawn inline while it gets the label; else that happens at the end of the whole cell."""
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    if inline is not None and inline.flush_figures in shell.events.callbacks["post_execute"]:
        inline.flush_figures()


class _Labelled:
    """A stream whose lines have the label, but for those that the runtime writes meanwhile for the nodes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begins = True

    def write(self, text: str) -> int:
        """Write text, the label before each line."""
        if not text or runtime().on_loop:
            return int(self._stream.write(text) or 0)
        labelled = _BEGINNINGS.sub(f"{LABEL} ", text)
        if self._begins and text[0] not in "\n\r":
            labelled = f"{LABEL} {labelled}"
        self._begins = text[-1] in "\n\r"
        self._stream.write(labelled)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _labelled(stream: str) -> Iterator[None]:
    former = getattr(sys, stream)
    if former is None:
        yield
        return
    mine = _Labelled(former)
    setattr(sys, stream, mine)
    try:
        yield
    finally:
        if getattr(sys, stream) is mine:
            setattr(sys, stream, former)


@contextmanager
def _labelled_displays(shell: Any) -> Iterator[None]:
    """Put the label before what is displayed; in a terminal displays are text, whose lines have it."""
    publisher = shell.display_pub
    if not hasattr(publisher, "register_hook"):
        yield
        return
    busy: list[bool] = []

    def hook(message: Any) -> Any:
        if message.get("msg_type", message.get("header", {}).get("msg_type")) == "display_data" and not busy:
            busy.append(True)
            try:
                publisher.publish(*quiet_line(LABEL))
            finally:
                busy.clear()
        return message

    publisher.register_hook(hook)
    try:
        yield
    finally:
        publisher.unregister_hook(hook)


def _from(tb: TracebackType | None, file: str) -> TracebackType | None:
    """A traceback from its first frame of the cell on."""
    while tb is not None and tb.tb_frame.f_code.co_filename != file:
        tb = tb.tb_next
    return tb
