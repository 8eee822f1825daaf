"""Execute a notebook and leave it, and an HTML page of it, in a folder to look at.

Usage: ``python -m tools.demo NOTEBOOK FOLDER``. Both files are left also when a cell raised; the exit
status is then 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

from tools.execute import Stopped, execute

WIDGET = "application/vnd.jupyter.widget-view+json"


def page(notebook: Any, title: str) -> str:
    """Return `notebook` as one HTML page that needs no kernel and no widget state."""
    kinds = [kind for kind in HTMLExporter().default_config.NbConvertBase.display_data_priority if kind != WIDGET]
    config = Config({"NbConvertBase": {"display_data_priority": kinds}})
    text, _ = HTMLExporter(config=config, embed_images=True).from_notebook_node(
        notebook, resources={"metadata": {"name": title}}
    )
    return str(text)


def lines(notebook: Any) -> Iterator[tuple[int, str]]:
    """Yield the position and the first line of each code cell."""
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield position, cell.source.strip().partition("\n")[0][:70]


def main(source: Path, folder: Path) -> int:
    """Execute `source`, write both files into `folder`, say where; return the exit status."""
    titles = dict(lines(nbformat.read(source, as_version=4)))
    width = max(map(len, titles.values()), default=0)

    def report(position: int, seconds: float | None) -> None:
        if seconds is not None:
            print(f"  {titles[position]:{width}}  {seconds:6.1f} s", flush=True)

    print(f"executing {source}", flush=True)
    try:
        notebook, failure = execute(source, on_cell=report), None
    except Stopped as stopped:
        notebook, failure = stopped.notebook, str(stopped)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    nbformat.write(notebook, target)
    target.with_suffix(".html").write_text(page(notebook, source.stem), encoding="utf-8")
    if failure is not None:
        print(f"\n{failure}\nstopped there; see {target}", file=sys.stderr)
        return 1
    print(f"the executed notebook: {target}\nthe same to look at:   {target.with_suffix('.html')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
