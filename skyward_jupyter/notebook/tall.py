"""Long output of a cell in a box of bounded height, with a line that opens it.

What is written stays in the cell as it is: this is one HTML output beside it, whose style makes JupyterLab, Notebook
and pages of nbconvert let the cell's outputs scroll, without a script. Front ends that bound outputs by themselves
(VS Code, Colab) do not know the names in it and show nothing of it.
"""

from __future__ import annotations

#: So many lines, long ones counted as often as they are wrapped, are long.
LINES = 60
_WIDTH = 120
_AREA, _CHILD, _MARK = ".jp-Cell-outputArea", ".jp-OutputArea-child", "details[data-skyward-tall]"
_STYLE = (
    f"{_AREA} {_MARK}{{display:block!important}}"
    f"{_AREA}:has({_MARK}:not([open])){{max-height:36em;overflow:auto}}"
    f"{_AREA}>{_CHILD}:has({_MARK}){{position:sticky;top:0;bottom:0;z-index:1;"
    "background:var(--jp-layout-color0,Canvas)}"
)
BUNDLE = {
    "text/plain": "",
    "text/html": (
        f'<details data-skyward-tall="" style="display:none"><summary>show all of this output, or less of it</summary>'
        f"</details><style>{_STYLE}</style>"
    ),
}


def height(text: str) -> int:
    """How many lines `text` has on a page, about."""
    return sum(1 + len(line) // _WIDTH for line in text.splitlines())
