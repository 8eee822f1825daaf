"""What a cell leaves out, where it says so, and the log that has it; what stays of runs in the background."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skyward_jupyter.notebook import logbook, pacing, still, tall
from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

SENTENCE = r"… ([\d,]+) lines left out here; %sky logs (r\d+) shows them\n"
DOCS = Path(__file__).parents[2] / "docs/howto"


@pytest.mark.parametrize(
    ("options", "nodes_of_it", "count"), [("", 3, 10_000), ("--on 1", 1, 30_000), ("--group node", 3, 10_000)]
)
def test_what_is_left_out_is_told_in_its_place_and_the_log_has_every_line(
    nodes: Kernel, options: str, nodes_of_it: int, count: int
) -> None:
    """They are more than one cell ever shows, however slowly they come."""
    assert count * nodes_of_it * 200 > pacing.CELL_LIMIT
    shown = nodes.ok(f"%%sky {options}\nfor i in range({count}): print(f'line {{i}} of {{n}}', 'x' * 200)")
    found = re.findall(SENTENCE, shown.stderr) or re.findall(SENTENCE.strip("\\n"), shown.text)
    assert found, shown.stderr
    assert nodes.ok("import skyward as sky\nlog = sky.last_run().log\nlen(log.tail(10**6)), log.missing").text == (
        f"({count * nodes_of_it}, 0)"
    )
    lines = nodes.ok(f"%sky logs {found[0][1]}").stdout.splitlines()
    assert len(lines) == count * nodes_of_it
    for node in range(3) if nodes_of_it == 3 else (1,):
        of_node = [line for line in lines if f" of {node} x" in line]
        assert [re.search(r"line (\d+)", line)[1] for line in of_node] == [str(i) for i in range(count)]  # type: ignore[index]
    messages, streamed = nodes.ok(f"%sky logs {found[0][1]}").busiest()
    assert (messages < 3_000, streamed < 3_000_000) == (True, True)


def test_the_log_of_a_run_by_its_name_its_number_and_its_last_lines(nodes: Kernel) -> None:
    nodes.ok("%%sky --bg --on 1 --into run\nfor i in range(30): print(i)")
    nodes.ok("await run")
    assert nodes.ok("%sky logs run").stdout.splitlines() == [str(i) for i in range(30)]
    number = nodes.ok("max(run.ids)").text
    assert nodes.ok(f"%sky logs r{number} -n 2").stdout.splitlines() == [
        "… 28 lines before are left out",
        "28",
        "29",
    ]
    assert "the log of that run is not kept" in nodes.run("%sky logs r999999").evalue
    assert "leave --follow out" in nodes.run("%sky logs run --follow").evalue


def test_a_run_in_the_background_stays_folded_with_what_is_missing_in_its_place(nodes: Kernel) -> None:
    shown = nodes.ok("%%sky --bg --on 1 --into run\nfor i in range(6_000): print(i)")
    nodes.ok("await run")
    (data,) = shown.displays
    page, text = data["text/html"], data["text/plain"].splitlines()
    body = re.search(
        r"<details><summary[^>]*>the last 5,000 lines of its output</summary>(.*?)</details>", page, re.DOTALL
    )
    assert body is not None
    assert "<details open" not in page
    assert "max-height" in body[1]
    assert re.match(r"<div[^>]*><div[^>]*>… 1,000 lines left out here; %sky logs r\d+ shows them</div><pre", body[1])
    assert re.fullmatch(SENTENCE.strip("\\n"), text[1])
    assert text[2] == "1000"
    assert page.count("5999") == 1


def test_what_the_docs_say_is_kept() -> None:
    said = (DOCS / "output.md").read_text().replace("\n", " ")
    assert f"its last {logbook.LINES:,} lines, of {logbook.CHARACTERS // 10**6} million characters at most" in said
    assert f"of a line longer than {logbook.LONGEST:,} characters it keeps the beginning" in said
    assert f"up to about {pacing.BURST / 10**6:g} MB is shown at once" in said
    assert f"{pacing.RATE // 1000} kB a second after that, {pacing.CELL_LIMIT // 10**6} MB in all" in said
    assert f"More than {tall.LINES} lines of output scroll in a box" in said
    background = (DOCS / "background.md").read_text().replace("\n", " ")
    assert f"its last {still.LINES:,} lines, of {still.CHARACTERS:,} characters at most" in background
