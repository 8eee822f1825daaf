"""Pictures of rows as outputs of their own, through nbconvert."""

from __future__ import annotations

import base64
from typing import Any

import nbformat
from nbconvert import LatexExporter, MarkdownExporter, NotebookExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from skyward_jupyter.notebook.apart import rows_apart
from skyward_jupyter.notebook.rowpage import page, plain
from skyward_jupyter.notebook.rows import Figure

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
FUNCTION = "skyward_jupyter.notebook.apart.rows_apart"


def row(*figures: Figure) -> Any:
    return new_output("display_data", data={"text/plain": plain(figures), "text/html": page(figures)})


def image(rank: int) -> Figure:
    return Figure([rank], {"text/plain": "<Figure 1: a & b>", "image/png": PNG}, {"image/png": {"width": 120}})


def converted(*outputs: Any) -> Any:
    book = new_notebook(cells=[new_markdown_cell("text"), new_code_cell("%%sky", outputs=list(outputs))])
    text, _ = NotebookExporter(preprocessors=[FUNCTION]).from_notebook_node(book)
    return nbformat.reads(text, as_version=4)


def test_each_picture_is_below_its_label() -> None:
    outputs = converted(row(*(image(rank) for rank in range(6)))).cells[1].outputs
    assert [output.data["text/plain"] for output in outputs[::2]] == [f"[{rank}]" for rank in range(6)]
    for output in outputs[1::2]:
        assert output.data == {"text/plain": "<Figure 1: a & b>", "image/png": PNG}
        assert output.metadata == {"image/png": {"width": 120}}


def test_drawings_are_text_again() -> None:
    drawing = Figure([0], {"text/plain": "d", "image/svg+xml": "<svg/>"}, {})
    assert converted(row(drawing, drawing)).cells[1].outputs[1].data["image/svg+xml"] == "<svg/>"


def test_then_they_are_files_of_pages_that_take_no_html() -> None:
    book = converted(row(image(0), image(1)))
    for exporter in (LatexExporter(), MarkdownExporter()):
        _, resources = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[book.cells[1]]))
        assert sorted(resources["outputs"].values()) == [base64.b64decode(PNG)] * 2


def test_everything_else_stays() -> None:
    table = Figure([0], {"text/html": "<table></table>", "text/plain": "t"}, {})
    outputs = [
        row(table, image(1)),
        new_output("stream", text="<figcaption"),
        new_output("display_data", data={"text/html": "<div></div>"}),
    ]
    before = new_notebook(cells=[new_code_cell("", outputs=outputs)])
    after, _ = rows_apart(nbformat.from_dict(before), {})
    assert after == before
