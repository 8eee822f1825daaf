"""A real JupyterLab, driven through its own commands.

One server serves a test session, one page the tests of a module; each test opens its own notebook
in it, and closes it. Every wait is for a condition, with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Error, Locator, Page

START_S = 60
OPEN_MS = 90_000
RUN_MS = 60_000

SETTINGS = {
    # A windowed notebook takes cells that are scrolled away out of the document.
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}

OPEN = """async path => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
    await panel.context.ready;
    await panel.sessionContext.ready;
    window.notebook = panel;
}"""

# What is not saved would be asked about.
CLOSE = """async () => {
    const { commands, shell } = window.jupyterapp;
    for (const { context } of shell.widgets("main")) if (context) context.model.dirty = false;
    await commands.execute("application:close-all");
}"""

# JupyterLab is there as a test loaded it: after a reload it may still open again what was open before.
LOADED = "() => window.jupyterapp !== undefined && window.isAsLoaded === true"

# No notebook is open in it and nothing is asked.
CLEAR = """() => !document.querySelector(".jp-Dialog")
    && ![...window.jupyterapp.shell.widgets("main")].some(widget => widget.context)"""

OUTPUTS = "index => window.notebook.content.widgets[index].model.outputs?.toJSON() ?? []"

EVALUATE = """async code => {
    const kernel = window.notebook.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code, store_history: false });
    let text = "";
    future.onIOPub = ({ header, content }) => { if (header.msg_type === "stream") text += content.text; };
    const reply = await future.done;
    if (reply.content.status !== "ok") throw new Error(`${reply.content.ename}: ${reply.content.evalue}`);
    return text;
}"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab server; notebooks live in `root`."""

    url: str
    root: Path

    @staticmethod
    @contextmanager
    def started(folder: Path) -> Iterator[Lab]:
        """Run a server of its own, with configuration and kernels' folders under `folder`."""
        root, port = folder / "root", _free_port()
        root.mkdir()
        with (folder / "server.log").open("w") as log:
            command = _command(root, port)
            server = subprocess.Popen(command, env=_environment(folder), stdout=log, stderr=log)
            try:
                lab = Lab(f"http://127.0.0.1:{port}", root)
                lab._until_up(server, folder / "server.log")
                yield lab
            finally:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()

    def add(self, file: Path) -> None:
        """Put a copy of `file` where the notebooks are, so that they can import or read it."""
        shutil.copy(file, self.root / file.name)

    def open_notebook(self, page: Page, cells: Sequence[str], *, name: str = "test", dark: bool = False) -> Notebook:
        """Write `cells` to a notebook, open it in `page` and wait until its kernel is ready."""
        path = f"{name}.ipynb"
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        (self.root / path).write_text(nbformat.writes(book))
        if not page.evaluate(LOADED) or not page.evaluate(CLEAR):
            page.goto(f"{self.url}/lab?reset", timeout=OPEN_MS)
            page.wait_for_function("window.jupyterapp !== undefined", timeout=OPEN_MS)
            page.evaluate("window.isAsLoaded = true")
        notebook = Notebook(page, path)
        notebook.open()
        notebook.theme(dark=dark)
        return notebook

    def shut_down_kernels(self) -> None:
        """End every kernel, in order, as the menu does; again while the server is just starting one that was killed."""
        deadline = time.monotonic() + START_S
        while kernels := self._kernels():
            for kernel in kernels:
                request = urllib.request.Request(f"{self.url}/api/kernels/{kernel['id']}", method="DELETE")
                try:
                    urllib.request.urlopen(request, timeout=START_S).close()
                except urllib.error.HTTPError:
                    if time.monotonic() > deadline:
                        raise

    def _kernels(self) -> list[dict[str, Any]]:
        """The kernels that run; asked again while one of them is just being started, which the server cannot list."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api/kernels", timeout=START_S) as answer:
                    kernels: list[dict[str, Any]] = json.load(answer)
                    return kernels
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def _until_up(self, server: subprocess.Popen[bytes], log: Path) -> None:
        """Wait for the server's first answer: each refused connection is tried again until the deadline."""
        for _ in range(START_S * 10):
            if server.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api", timeout=START_S):
                    return
            except (urllib.error.URLError, ConnectionError):
                # Wait for the process's end rather than sleep: a server that failed is seen at once.
                try:
                    server.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        raise RuntimeError(f"JupyterLab did not start; it said:\n{log.read_text()[-4000:]}")


@dataclass(frozen=True)
class Notebook:
    """An open notebook in a page."""

    page: Page
    path: str

    def open(self) -> None:
        """Open the notebook and wait for its kernel."""
        self.page.evaluate(OPEN, self.path)

    def theme(self, *, dark: bool) -> None:
        """Switch JupyterLab between its light and its dark theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg="false" if dark else "true", timeout=RUN_MS
        )

    def command(self, name: str, **arguments: object) -> None:
        """Execute one of JupyterLab's commands and wait for its end."""
        execute = "([name, parts]) => window.jupyterapp.commands.execute(name, parts).then(() => null)"
        self.page.evaluate(execute, [name, arguments])

    def run_all(self, *, wait: bool = True) -> None:
        """Run every cell; without `wait`, return while they run."""
        self.page.evaluate(
            "() => { window.running = true; window.jupyterapp.commands.execute('notebook:run-all-cells')"
            ".finally(() => { window.running = false; }); }"
        )
        if wait:
            self.finished()

    def finished(self, timeout: float = RUN_MS) -> None:
        """Wait until what `run_all` started is over."""
        self.page.wait_for_function("window.running === false", timeout=timeout)

    def interrupt(self) -> None:
        """Interrupt the kernel as the menu does."""
        self.command("notebook:interrupt-kernel")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs as they would be saved."""
        outputs: list[dict[str, Any]] = self.page.evaluate(OUTPUTS, index)
        return outputs

    def cell(self, index: int) -> Locator:
        """Return a cell as it is drawn."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def text(self, index: int) -> str:
        """Return the text of a cell's outputs as they are drawn."""
        return self.cell(index).locator(".jp-Cell-outputArea").inner_text()

    def wait_text(self, index: int, expected: str, timeout: float = RUN_MS) -> None:
        """Wait until a cell's outputs, as they are drawn, contain a text."""
        area = self.cell(index).locator(".jp-Cell-outputArea")
        area.filter(has_text=expected).wait_for(timeout=timeout)

    def evaluate(self, code: str) -> str:
        """Run code in the kernel beside the notebook's cells and return what it printed."""
        return str(self.page.evaluate(EVALUATE, code))


def place(data: dict[str, Any]) -> str:
    """Return what marks where the live view of an output is drawn; empty where there is none."""
    found = re.match(r'<div data-skyward="(\w+)">', "".join(data.get("text/html", "")))
    return found[1] if found else ""


def clear(page: Page) -> None:
    """Close what is open in JupyterLab; where that does not work, the next test loads it anew."""
    with contextlib.suppress(Error):
        if page.evaluate(LOADED):
            page.evaluate(CLOSE)
            page.wait_for_function(CLEAR)
            return
    page.goto("about:blank")


def _command(root: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--IdentityProvider.token=", "--allow-root", "--expose-app-in-browser"),
        *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={root}"),
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]


def _environment(folder: Path) -> dict[str, str]:
    """Keep a person's own settings out, and leave none behind."""
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    for name, settings in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    # Pools show themselves, whatever other tests want of them.
    return {**os.environ, "SKYWARD_PANEL": "auto", **{name: str(folder / place) for name, place in own.items()}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
