"""The numbers that the pages name are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skyward_jupyter.actors import past
from skyward_jupyter.agent import joblog, jobs, log, preload, slots, stock, variables
from skyward_jupyter.api import progress
from skyward_jupyter.collections.data_nodes import DATA_NODES
from skyward_jupyter.config import Skyward
from skyward_jupyter.notebook import displays, leftout, noderun, pictures, rowpage, sections, still, tracebacks
from skyward_jupyter.providers.terms import NodeSpec
from skyward_jupyter.wire import envelope, feeds

DOCS = Path(__file__).parents[2] / "docs"
TASKS = (DOCS.parent / "js/src/tasks.ts").read_text()
WORDS = {2: "two", 3: "three", 5: "five", 8: "eight", 16: "sixteen"}


def in_browser(name: str) -> int:
    """Return a number that the widgets have."""
    (found,) = re.findall(rf"const {name} = (\d+);", TASKS)
    return int(found)


SAID = [
    ("howto/errors.md", f"up to {variables.MOST} of a frame and {variables.ALL // 1000} kB of an error"),
    ("howto/cells.md", f"keeps each node's lines together, the last {sections.NODE_LINES} of each"),
    ("howto/cells.md", f"of more than {WORDS[tracebacks.CAUSES]} causes, the others are named"),
    ("howto/cells.md", f"within {WORDS[slots.GRACE]} seconds"),
    ("howto/interrupt.md", f"does not end within {slots.GRACE:g} seconds has its slot killed"),
    ("howto/background.md", f"the last {noderun._OUTPUT:,} characters of it"),
    ("howto/background.md", f"Of more than {still.NODES} nodes, the others are counted"),
    ("howto/output.md", f"in its own view, {pictures.MOST} of them at most"),
    ("howto/output.md", f"{rowpage.IN_SIGHT} of 8 nodes; show the others"),
    ("howto/output.md", f"that is longer than {rowpage.LONGEST:,} characters"),
    ("howto/output.md", f"that take longer than {WORDS[progress.AFTER]} seconds"),
    ("howto/output.md", f"that has run for {WORDS[displays.AFTER]} seconds and draws progress bars"),
    ("howto/output.md", f"the last {leftout.RUNS} runs, of {leftout.CHARACTERS // 10**6} million characters together"),
    ("howto/events.md", f"the last {past.KEPT:,} tasks that ended"),
    ("howto/events.md", f"up to {in_browser('KEPT')} tasks"),
    ("howto/http.md", f"({jobs.MOST:,} jobs, or {jobs.RESULT_BYTES // 2**30} GiB of results)"),
    ("howto/http.md", f"the last {joblog.BOUND // 2**20} MiB are kept"),
    ("howto/http.md", f"at most {envelope.LIMIT // 2**20} MiB"),
    ("howto/streams.md", f"Up to {WORDS[feeds.FIRST_WINDOW]} items"),
    ("howto/streams.md", f"up to {feeds.LAST_WINDOW:,}, of {feeds.BYTES_WINDOW // 2**20} MB"),
    ("howto/streams.md", f"up to {log.OUTPUT_BOUND // 2**20} MB"),
    ("howto/values.md", f"{Skyward.size_limit.default_value // 2**20} MiB by default"),
    ("howto/attach.md", f"wait `ttl` seconds, {NodeSpec().ttl:g} on this machine"),
    ("howto/first-notebook.md", f"they wait {NodeSpec().ttl:g} seconds for it"),
    ("howto/preload.md", f"tried again after {stock.PAUSES[0]:g} seconds"),
    ("howto/preload.md", f"after longer pauses {WORDS[len(stock.PAUSES) - 1]} times more"),
    ("howto/preload.md", f"wait: for {stock.PATIENCE:g} seconds"),
    ("explanation/architecture.md", f"live on the first {WORDS[DATA_NODES]} nodes"),
]


@pytest.mark.parametrize(("page", "sentence"), SAID)
def test_a_page_says_what_the_code_does(page: str, sentence: str) -> None:
    assert sentence in " ".join((DOCS / page).read_text().split())


def test_the_page_names_what_is_preloaded() -> None:
    names = {"sklearn": "scikit-learn", "PIL": "Pillow", "torch": "PyTorch"}
    (said,) = re.findall(r"Without a word from you: (.*?), when", (DOCS / "howto/preload.md").read_text(), re.DOTALL)
    listed = {name.strip().lower() for name in re.split(r",| and ", said.replace("\n", " "))}
    assert listed == {names.get(name, name).lower() for name in preload.PROVEN}
