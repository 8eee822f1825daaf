"""A run as plain text and as HTML that needs nothing: what stays in a notebook when its live view is gone.

No script, no style sheet, no link; what a code host strips of the styles, the text does not miss. Text has the colour
of the page around it, so that it reads in light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from skyward_jupyter.notebook.leftout import sentence
from skyward_jupyter.notebook.logbook import Line

if TYPE_CHECKING:
    from skyward_jupyter.notebook.run import CellCourse

#: Of the output, so many of the last characters and lines stay,
CHARACTERS = 200_000
LINES = 5_000
#: and so many nodes are listed.
NODES = 32
#: What is said of a run looks like its output, wherever the page has text of its own kind for HTML.
_FONT = "font-family:var(--jp-code-font-family,monospace);font-size:13px"
_PRE = f"margin:0;padding:0;border:0;background:none;color:inherit;{_FONT};white-space:pre-wrap;overflow-wrap:anywhere"
_QUIET = f"opacity:.7;{_FONT}"
#: Output that is long scrolls; the line above it puts it away.
_BOX = "max-height:32em;overflow:auto"
_ERR = "border-left:3px solid rgba(200,80,80,.7);padding-left:6px"
_CELL = "padding:1px 12px 1px 0;border:0;background:none;text-align:left"


def plain(run: CellCourse, output: str | None = None) -> str:
    """The run as text: a line about it, its bars, its output (`output` in place of what the log has)."""
    parts = [run.head(), *_bars(run)]
    body = output if output is not None else "\n".join([*_before(run), *(_text(line, run) for line in _shown(run))])
    return "\n".join([*parts, *([body.rstrip("\n")] if body.strip() else []), *_counts(run)])


def page(run: CellCourse, output: str | None = None, *, folded: bool = False) -> str:
    """The run as one HTML element; `folded` puts the output away behind a line that opens it."""
    parts = [f'<div style="{_QUIET}">{escape(run.head())}</div>']
    if bars := _bars(run):
        parts.append(f'<pre style="{_PRE}">{escape(chr(10).join(bars))}</pre>')
    if len(run.nodes) > 1:
        parts.append(_nodes(run))
    parts.append(_output(run, output, folded=folded))
    parts += [f'<div style="{_QUIET}">{escape(line)}</div>' for line in _counts(run)]
    if not run.done:
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        parts.append(f'<div style="{_QUIET}">as of {moment}</div>')
    for name, picture in run.pictures:
        heading = f'<div style="{_QUIET}">{escape(name)}</div>' if name else ""
        parts.append(f"<div>{heading}{picture}</div>")
    return f'<div style="line-height:1.4">{"".join(parts)}</div>'


def _output(run: CellCourse, output: str | None, *, folded: bool) -> str:
    """What it wrote, in a box of bounded height: the text given in its place, or what the log has."""
    if output is None:
        count = len(_shown(run))
        before = "".join(f'<div style="{_QUIET}">{escape(line)}</div>' for line in _before(run))
        body = before + _pre(_blocks(run))
    else:
        count = output.strip("\n").count("\n") + 1
        body = _pre([(False, output.rstrip("\n"))]) if output.strip() else ""
    if not body:
        return ""
    last = "the last " if output is None and _before(run) else ""
    said = f"{last}{count:,} line{'s' * (count != 1)} of its output"
    opened = "" if folded else " open"
    return f'<details{opened}><summary style="{_QUIET}">{said}</summary><div style="{_BOX}">{body}</div></details>'


def _before(run: CellCourse) -> list[str]:
    """What is said in the place of the lines before those that stay."""
    hidden = run.log.end - len(_shown(run)) - run.cleared
    return [sentence(hidden, run.name)] if hidden > 0 else []


def _bars(run: CellCourse) -> list[str]:
    return run.bars.lines(each=run.each, labelled=len(run.nodes) > 1) if run.bars else []


def _shown(run: CellCourse) -> list[Line]:
    """The last lines that stay."""
    lines = run.log.tail(LINES)
    size = 0
    for count, line in enumerate(reversed(lines)):
        size += len(line.text) + 1
        if size > CHARACTERS:
            return lines[len(lines) - count :]
    return lines


def _counts(run: CellCourse) -> list[str]:
    """What is nowhere, in sentences."""
    lines: list[str] = []
    if run.log.missing:
        lines.append(f"… {run.log.missing:,} lines came too fast to be kept")
    if run.displays.hidden:
        lines.append(f"… {run.displays.hidden:,} displays not shown")
    return lines


def _text(line: Line, run: CellCourse) -> str:
    return f"[{line.ranks}] {line.text}" if line.ranks and len(run.nodes) > 1 else line.text


def _blocks(run: CellCourse) -> list[tuple[bool, str]]:
    """Lines of one stream together: whether it is the one for errors, and their text."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in _shown(run):
        wrong = line.stream == "stderr"
        if not blocks or blocks[-1][0] != wrong:
            blocks.append((wrong, []))
        blocks[-1][1].append(_text(line, run))
    return [(wrong, "\n".join(lines)) for wrong, lines in blocks]


def _pre(blocks: Iterable[tuple[bool, str]]) -> str:
    return "".join(f'<pre style="{_PRE};{_ERR if wrong else ""}">{escape(text)}</pre>' for wrong, text in blocks)


def _nodes(run: CellCourse) -> str:
    """A row for each node, behind a line that opens it."""
    listed = list(run.nodes.values())[:NODES]
    rows: Sequence[tuple[str, ...]] = [(str(node.rank), node.state, node.reason) for node in listed]
    body = "".join(
        '<tr style="background:none">' + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    more = f'<div style="{_FONT}">… and {len(run.nodes) - NODES} more</div>' if len(run.nodes) > NODES else ""
    table = f'<table style="border-collapse:collapse;color:inherit;{_FONT}"><tbody>{body}</tbody></table>'
    return f'<details><summary style="{_QUIET}">{len(run.nodes)} nodes</summary>{table}{more}</details>'
