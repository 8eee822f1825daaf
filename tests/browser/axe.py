"""The accessibility checker axe-core, run on what a page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

SCRIPT = Path(__file__).resolve().parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")

CHECK = """async ([selector, grave]) => {
    const { violations } = await axe.run(selector, { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => grave.includes(impact)).flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 200)}: ${failureSummary}`));
}"""


def grave_faults(page: Page, selector: str) -> list[str]:
    """What the checker finds serious or critical in the elements of `selector`, one sentence for each element."""
    if not SCRIPT.is_file():
        pytest.skip("axe-core is not installed; `make check-js` installs it")
    page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(CHECK, [selector, GRAVE])
    return found
