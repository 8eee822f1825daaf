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
#: What scrolls: a notebook in JupyterLab and Notebook, the page that nbconvert makes.
_SCROLLS = (".jp-WindowedPanel-outer", "html")
#: The moment after it was closed: `:active` ends as the click that opens or closes it is handled.
_CLOSED = f"{_MARK}:not([open]):not(:active):focus-within"
_STYLE = (
    f"{_AREA} {_MARK}{{display:block!important}}"
    f"{_AREA}:has({_MARK}:not([open])){{max-height:36em;overflow:auto}}"
    # A dark page of nbconvert does not say that it is dark; themes that style scrollbars come first.
    f":where({_AREA}:has({_MARK})){{scrollbar-color:var(--jp-border-color1,GrayText) transparent}}"
    f"{_AREA}>{_CHILD}:has({_MARK}){{position:sticky;top:0;bottom:0;z-index:1;"
    "background:var(--jp-layout-color0,Canvas)}"
    # Closed far below its cell, it would leave a page without it: the cell is snapped to, once.
    f".jp-Cell:has({_MARK}){{scroll-snap-align:start}}"
    f"{','.join(f'{scrolls}:has({_CLOSED})' for scrolls in _SCROLLS)}{{animation:skyward-back .3s}}"
    "@keyframes skyward-back{from,to{scroll-snap-type:y mandatory}}"
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
