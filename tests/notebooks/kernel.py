"""A real IPython kernel, and what its cells show."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager

from tools.kernels import reached_in

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TIMEOUT = 60


type Places = dict[str, list[tuple[list[dict[str, Any]], int]]]


@dataclass
class Shown:
    """What a cell showed.

    Attributes
    ----------
    status, ename, evalue, traceback
        How it ended; the traceback without colours.
    stdout, stderr
        What it wrote.
    displays
        MIME bundles in order; one that was updated has its last state.
    seconds
        From request to reply.
    ids
        Where displays are that may be updated, by any cell of the kernel.
    sent
        When each message that showed it left the kernel, in seconds, and how many bytes of stream it had.
    """

    status: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    cleared: int = 0
    seconds: float = 0.0
    ids: Places = field(default_factory=dict)
    sent: list[tuple[float, int]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The plain text of its displays, one below the other."""
        return "\n".join(str(data.get("text/plain", "")) for data in self.displays)

    def busiest(self, seconds: float = 3.0) -> tuple[int, int]:
        """The most messages, and the most bytes of streams, that left in any so many seconds."""
        most = [0, 0]
        for start, _ in self.sent:
            sizes = [size for at, size in self.sent if start <= at < start + seconds]
            most = [max(most[0], len(sizes)), max(most[1], sum(sizes))]
        return most[0], most[1]

    def take(self, message: dict[str, Any]) -> None:
        """Take one message of the kernel."""
        content = message["content"]
        size = len(json.dumps(content["text"])) if message["msg_type"] == "stream" else 0
        self.sent.append((message["header"]["date"].timestamp(), size))
        match message["msg_type"]:
            case "stream":
                setattr(self, content["name"], getattr(self, content["name"]) + content["text"])
            case "display_data" | "execute_result":
                if display_id := content.get("transient", {}).get("display_id"):
                    self.ids.setdefault(display_id, []).append((self.displays, len(self.displays)))
                self.displays.append(content["data"])
            case "update_display_data":
                for displays, place in self.ids.get(content["transient"]["display_id"], ()):
                    displays[place] = content["data"]
            case "clear_output":
                self.cleared += 1
                if not content["wait"]:
                    for found in self.ids.values():
                        found[:] = [each for each in found if each[0] is not self.displays]
                    self.displays, self.stdout, self.stderr = [], "", ""
            case "error":
                self.ename, self.evalue = content["ename"], content["evalue"]
                self.traceback = _ANSI.sub("", "\n".join(content["traceback"]))


class Kernel:
    """A kernel in a process of its own, with a client.

    What an earlier cell shows after its end is added to what it showed.

    Attributes
    ----------
    folder
        Its working directory.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._sockets = tempfile.TemporaryDirectory(prefix="skyward-kernel-")
        self._manager = reached_in(KernelManager(), self._sockets.name)
        spec = self._manager.kernel_spec
        assert spec is not None
        spec.argv[:] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.folder, self._env = folder, env
        self._manager.start_kernel(cwd=str(folder), env=env)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_TIMEOUT)
        self._cells: dict[str, Shown] = {}
        self._ids: Places = {}
        self._stopped = False

    def run(self, code: str, *, interrupt_at: str = "", times: int = 1) -> Shown:
        """Run a cell to its end; interrupt the kernel `times` when it has written `interrupt_at`."""
        shown = self.start(code)
        for _ in range(times if interrupt_at else 0):
            self.until(shown, interrupt_at)
            self._manager.interrupt_kernel()
            interrupt_at = "again"
        return self.finish(shown)

    def ok(self, code: str) -> Shown:
        """Run a cell that must not fail."""
        shown = self.run(code)
        assert shown.status == "ok", f"{code}\n{shown.traceback}\n{shown.stderr}"
        return shown

    def start(self, code: str) -> Shown:
        """Start a cell and return what it will show."""
        # A cell that fails would have the kernel refuse, for a moment, those that are asked for next.
        self._request = self._client.execute(code, store_history=True, stop_on_error=False)
        self._started = time.monotonic()
        return self._cells.setdefault(self._request, Shown(ids=self._ids))

    def quietly(self, code: str, **how: bool) -> None:
        """Run code as a front end does for itself, to its end."""
        request = self._client.execute(code, **{"store_history": True, **how})
        assert self._reply(request)["status"] == "ok"

    @property
    def stdout(self) -> str:
        """What all its cells have written, in their order."""
        return "".join(shown.stdout for shown in self._cells.values())

    def until_busy(self) -> None:
        """Read until the kernel says that it runs the cell; an interrupt before that would be for nobody."""
        while True:
            message = self._client.get_iopub_msg(timeout=_TIMEOUT)
            mine = message["parent_header"].get("msg_id") == self._request
            if mine and message["msg_type"] == "execute_input":
                return

    def until(self, shown: Shown, text: str) -> None:
        """Read what the cell shows until its streams have `text`."""
        while text not in shown.stdout + shown.stderr:
            assert not self._read(shown), f"the cell ended without {text!r}: {shown}"

    def until_shown(self, shown: Shown, enough: Callable[[], bool]) -> None:
        """Read what the cell shows until that is enough."""
        while not enough():
            assert not self._read(shown), f"the cell ended before that: {shown}"

    def until_text(self, shown: Shown, text: str) -> None:
        """Read what the cell shows until the text of its displays has `text`."""
        while text not in shown.text:
            assert not self._read(shown), f"the cell ended without {text!r}: {shown}"

    def finish(self, shown: Shown) -> Shown:
        """Read to the cell's end."""
        while not self._read(shown):
            pass
        shown.status = self._reply(self._request)["status"]
        shown.seconds = time.monotonic() - self._started
        return shown

    def answer(self, text: str) -> str:
        """Answer the question that the cell asks with `input`, and return it."""
        question: str = self._client.get_stdin_msg(timeout=_TIMEOUT)["content"]["prompt"]
        self._client.input(text)
        return question

    def tell(self, kind: str, **content: object) -> None:
        """Send what a widget of the front end sends: ``comm_open`` or ``comm_msg``."""
        self._client.shell_channel.send(self._client.session.msg(kind, content))

    def interrupt(self) -> None:
        """Send SIGINT, as a front end's stop button does."""
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """Restart the kernel."""
        self._manager.restart_kernel(now=False, cwd=str(self.folder), env=self._env)
        self._client.wait_for_ready(timeout=_TIMEOUT)

    def complete(self, code: str) -> list[str]:
        """What Tab at the end of `code` offers."""
        matches: list[str] = self._reply(self._client.complete(code))["matches"]
        return matches

    def explain(self, code: str) -> str:
        """What Shift+Tab at the end of `code` shows; empty where nothing is known."""
        return _ANSI.sub("", str(self._reply(self._client.inspect(code))["data"].get("text/plain", "")))

    @staticmethod
    def seconds_of(call: Callable[[], object]) -> float:
        """How long a request takes."""
        began = time.monotonic()
        call()
        return time.monotonic() - began

    def stop(self) -> None:
        """End it, once."""
        if self._stopped:
            return
        self._stopped = True
        self._client.stop_channels()
        self._manager.shutdown_kernel()
        self._sockets.cleanup()

    def _reply(self, request: str) -> dict[str, Any]:
        while (message := self._client.get_shell_msg(timeout=_TIMEOUT))["parent_header"].get("msg_id") != request:
            pass
        content: dict[str, Any] = message["content"]
        return content

    def _read(self, shown: Shown) -> bool:
        """Take the next message; returns whether the cell has ended."""
        try:
            message = self._client.get_iopub_msg(timeout=_TIMEOUT)
        except Empty:
            raise AssertionError(f"the cell shows nothing for {_TIMEOUT} s; so far: {shown}") from None
        parent = message["parent_header"].get("msg_id")
        if parent != self._request:
            if parent in self._cells:
                self._cells[parent].take(message)
            return False
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return True
        shown.take(message)
        return False


@contextmanager
def kernel_in(folder: Path, env: dict[str, str]) -> Iterator[Kernel]:
    """A kernel whose files are in `folder`, with the extension loaded."""
    made = Kernel(folder, env)
    try:
        made.ok("%load_ext skyward")
        yield made
    finally:
        made.stop()
