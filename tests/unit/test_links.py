"""Every relative link of README, the docs and the notebooks leads to a file that is there, and to a heading in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("[!_]*/*.md"),
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("notebooks/*.ipynb"),
    ]
)
_LINK = re.compile(r"(?:\]\(|(?:src|srcset|href)=\"|^```\{image\} )([^)\s\"]+)", re.MULTILINE)


def text_of(path: Path) -> str:
    """Return the text of a page; of a notebook, that between its code."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Give the relative links of a page: the file, which is empty for the page itself, and the anchor."""
    prose = re.sub(
        r"^```(?!\{image\})[\s\S]*?^```$|^    (?! *<?[a-z]+=?\").*$|`[^`\n]*`", "", text_of(path), flags=re.MULTILINE
    )
    for target in _LINK.findall(prose):
        if not re.match(r"\w+:", target):
            file, _, anchor = target.partition("#")
            yield file, anchor


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    prose = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def test_there_are_pages_and_links() -> None:
    assert len(PAGES) > 30
    assert sum(1 for page in PAGES for _ in links(page)) > 120


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in PAGES])
def test_every_link_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for file, anchor in links(path):
        target = path.parent / file if file else path
        assert target.exists(), f"{page} links to {file}"
        assert not anchor or anchor in anchors(target), f"{page} links to {file}#{anchor}"


def test_readme_leads_to_every_page_and_tutorial() -> None:
    linked = {(ROOT / file).resolve() for file, _ in links(ROOT / "README.md")}
    wanted = {*(ROOT / "docs").glob("[!_]*/*.md"), *ROOT.glob("notebooks/*.ipynb"), *(ROOT / "docs").glob("bench*.md")}
    assert sorted(str(path.relative_to(ROOT)) for path in wanted - linked) == []
