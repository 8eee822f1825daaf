"""The IPython shell of a session: a real one, whose display goes to the notebook and which leaves nothing on disk.

It has no prompt, no history file and no profile of its own. What IPython would print (the last expression, a
traceback) is kept for `skyward_jupyter.agent.session`, which sends it back.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import fnmatch
import linecache
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any, cast

from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any as AnyTrait
from traitlets import Type, default, observe
from traitlets.config import Config

from skyward_jupyter.agent import keyboard, outlet
from skyward_jupyter.agent.awaited import Awaiting
from skyward_jupyter.agent.cells import Bundle, LineKeepingTransformer, Source
from skyward_jupyter.agent.repeats import without_repeats
from skyward_jupyter.agent.showable import showable, showable_bundle
from skyward_jupyter.wire.exceptions import chain

_INLINE = "module://matplotlib_inline.backend_inline"
_WIDGET = "application/vnd.jupyter.widget-view+json"


class SessionPublisher(DisplayPublisher):
    """Sends what user code displays to the cell in the notebook."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: object = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: object,
    ) -> None:
        """Send one MIME bundle."""
        outlet.display(_elsewhere(data), metadata or {}, transient, update)

    def clear_output(self, wait: bool = False) -> None:
        """Clear what this node has shown in the cell."""
        outlet.clear(wait)


class SessionHook(DisplayHook):
    """Keeps how the last expression shows instead of printing it."""

    def write_output_prompt(self) -> None:
        """A node has no prompt."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Keep the bundle; one that was kept before (``ast_node_interactivity``) is displayed."""
        shell: Any = self.shell
        if shell.shown is not None:
            outlet.display(shell.shown.data, shell.shown.metadata)
        shell.shown = Bundle(_elsewhere(format_dict), md_dict or {})

    def finish_displayhook(self) -> None:
        """Nothing was printed, so nothing is flushed."""
        self._is_active = False

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """A session keeps no record of its outputs."""

    def update_user_ns(self, result: object) -> None:
        """Keep the last value as ``_`` and no other: results are large and a session lives long."""
        names = cast(SessionShell, self.shell).user_ns
        if "_" not in vars(builtins) and names.get("_", self._) is self._:
            names["_"] = result
            self._ = cast(str, result)

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon."""
        try:
            return bool(self.semicolon_at_end_of_expression(cast(SessionShell, self.shell).code))
        except Exception:
            return False


class SessionCompiler(CachingCompiler):
    """Compiles the running cell under the name and number it has in the notebook, with its lines as written."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: Source | None = None
        self._labels: dict[str, tuple[str, str]] = {}
        self._parsing: tuple[str, int] | None = None

    def know(self, name: str, label: str, text: str) -> None:
        """Have the text of a cell of the notebook, and what it is called in tracebacks."""
        kind, _, where = label.partition(" ")
        self._labels[name] = kind, where
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name

    def knows(self, name: str) -> bool:
        """Whether code of this name is a cell of the notebook that did not run here."""
        return name in self._labels

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        """What code is called in tracebacks."""
        return self._labels.get(name) or super().format_code_name(name)

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """Name the code; the first code after `pending` was set is the cell itself."""
        source, self.pending = self.pending, None
        if source is None:
            return str(super().cache(transformed_code, number, raw_code))
        name = str(super().cache(source.written, source.number))
        self._parsing = name, source.offset
        return name

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        """Parse; a syntax error of the cell gets its line as written."""
        parsing, self._parsing = self._parsing, None
        try:
            return super().ast_parse(source, filename, symbol)
        except SyntaxError as error:
            if parsing is not None and parsing[0] == filename and error.lineno:
                error.lineno += parsing[1]
                error.end_lineno = (error.end_lineno or 0) + parsing[1]
            raise


class SessionExit(ExitAutocall):
    """``exit`` and ``quit``: they end the cell as they end a script, and leave the session as it is."""

    def __call__(self, code: object = None) -> None:
        """Raise SystemExit."""
        __tracebackhide__ = True
        if code is None:
            raise SystemExit
        raise SystemExit(code)


class SessionStore(dict[str, Any]):
    """What IPython keeps for the next time, as bookmarks and the last directories: kept as long as the session."""

    def keys(self, pattern: str = "*") -> Any:
        """The keys that match a pattern of file names."""
        return super().keys() if pattern == "*" else [key for key in self if fnmatch.fnmatchcase(key, pattern)]

    def __delitem__(self, key: str) -> None:
        """Forget a key; it need not be there."""
        self.pop(key, None)


class _NoProfile:
    """Stands where IPython looks for its profile's directory while it is made (8.31): there is none."""

    location = os.path.join(tempfile.gettempdir(), "no-ipython", "profile_default")


class SessionShell(InteractiveShell):
    """IPython in a session process."""

    profile_dir = AnyTrait()
    displayhook_class = Type(SessionHook)
    display_pub_class = Type(SessionPublisher)
    compiler_class = Type(SessionCompiler)

    def __init__(self, **kwargs: Any) -> None:
        self.shown: Bundle | None = None
        self.failure: tuple[BaseException, str] | None = None
        self.code = ""
        self._shift = 0
        self._kept = SessionStore()
        super().__init__(**kwargs)
        self.profile_dir = None
        self.input_transformer_manager = LineKeepingTransformer()

    @property
    def db(self) -> SessionStore:
        """What IPython keeps for the next time."""
        return self._kept

    @db.setter
    def db(self, value: object) -> None:
        """Leave it: IPython's own is a directory of the profile."""

    @property
    def call_pdb(self) -> bool:
        """Whether a debugger is to ask after an error: never."""
        return False

    @call_pdb.setter
    def call_pdb(self, wanted: bool) -> None:
        if wanted:
            keyboard.refuse_debugger()

    @default("exiter")
    def _session_exit(self) -> SessionExit:
        return SessionExit(self)

    def know_source(self, name: str, label: str, text: str) -> None:
        """Have the text of a cell of the notebook whose functions are here."""
        cast(SessionCompiler, self.compile).know(name, label, text)

    def run_source(self, source: Source) -> BaseException | None:
        """Run a cell; returns what it raised, whose traceback is then in `failure`."""
        self.shown = self.failure = None
        self.code = source.code
        self._shift = source.offset
        self.execution_count = source.number
        cast(SessionCompiler, self.compile).pending = source
        result = self.run_cell(source.code, store_history=False)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        if error is None:
            self._print_failure()
        return self._interrupt() or error

    def _interrupt(self) -> BaseException | None:
        """What ended the cell if it was an interrupt, which cancels what a cell awaits."""
        raised = self.failure[0] if self.failure is not None else None
        return raised if isinstance(raised, KeyboardInterrupt) else None

    def _print_failure(self) -> None:
        """Show a traceback that the cell asked for and went on after."""
        if self.failure is not None:
            sys.stderr.write(f"{self.failure[1]}\n")
            self.failure = None

    def transform_ast(self, node: Any) -> Any:
        """Move the cell's own code to the lines it was written on."""
        shift, self._shift = self._shift, 0
        if shift:
            ast.increment_lineno(node, shift)
        return super().transform_ast(node)

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Keep the traceback; exception groups and usage errors in their own forms."""
        kind, value, tb = self._get_exc_info(exc_tuple)
        if isinstance(value, UsageError):
            self._showtraceback(kind, value, [f"UsageError: {value}"])
        elif isinstance(value, BaseExceptionGroup):
            value.__traceback__ = user_part(tb)
            self._showtraceback(kind, value, [self._with_cells("".join(traceback.format_exception(value)))])
        elif isinstance(value, SystemExit):
            said = "" if value.code is None else f": {value}"
            self._showtraceback(kind, value, [f"SystemExit{said}"])
        else:
            for link in chain(value):
                _cut_ours(link.__traceback__)
            left_out = without_repeats(value.__traceback__, cast(SessionCompiler, self.compile).knows)
            super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)
            if left_out and self.failure is not None:
                self.failure = self.failure[0], "\n".join([self.failure[1].rstrip("\n"), *left_out])

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.failure = evalue, showable(str(self.InteractiveTB.stb2text(stb)))

    def _with_cells(self, text: str) -> str:
        """A plain traceback that calls cells what the notebook calls them."""

        def called(found: re.Match[str]) -> str:
            label = self.compile.format_code_name(found[1])
            return " ".join(label) if label is not None else found[0]

        return re.sub(r'File "([^"\n]+)"', called, text)

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        yield

    def enable_gui(self, gui: str | None = None) -> None:
        """A node has no screen: nothing to integrate with."""

    def init_ipython_dir(self, ipython_dir: str | None) -> None:
        """Share the machine's IPython directory if there is one; make none."""
        self.ipython_dir = ipython_dir or os.path.join(tempfile.gettempdir(), "no-ipython")

    @observe("ipython_dir")
    def _ipython_dir_changed(self, change: Any) -> None:
        """Make none here either, as IPython would."""

    def init_profile_dir(self, profile_dir: Any) -> None:
        """A session has no profile."""
        self.profile_dir = _NoProfile()


def make_shell() -> SessionShell:
    """The one shell of this process."""
    os.environ["MPLBACKEND"] = _INLINE
    warnings.filterwarnings("ignore", message="To exit: use", module="IPython")
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.cache_size = 0
    config.InteractiveShell.separate_in = ""
    config.IPCompleter.use_jedi = False
    shell = SessionShell.instance(config=config)
    shell.loop_runner = Awaiting(shell)
    extensions: Any = shell.extension_manager
    extensions.load_extension("storemagic")  # which every IPython has
    return shell


def _elsewhere(data: dict[str, Any]) -> dict[str, Any]:
    """What of a bundle means something away from this process: a widget's model lives here, its text goes along."""
    return showable_bundle({kind: value for kind, value in data.items() if kind != _WIDGET})


def _cut_ours(tb: TracebackType | None) -> None:
    """Leave out the frames of our own that raise: the signal handler's, and those of what has no keyboard."""
    ours = outlet.__file__, keyboard.__file__, __file__
    while tb is not None:
        following = tb.tb_next
        if following is not None and following.tb_frame.f_code.co_filename in ours:
            tb.tb_next = None
        tb = tb.tb_next


def user_part(tb: TracebackType | None) -> TracebackType | None:
    """`tb` from its first frame of a cell on, or all of it when there is none."""
    start = tb
    while tb is not None:
        if tb.tb_frame.f_code.co_filename.startswith("<ipython-input-"):
            return tb
        tb = tb.tb_next
    return start
