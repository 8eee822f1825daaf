"""Every notebook in notebooks/ runs from a fresh kernel, and shows what its text promises."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests import namespaces
from tests.index import index
from tests.namespaces import HOME, BareMachine, python_of
from tools.execute import execute

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]


def of(name: str) -> pytest.MarkDecorator:
    """What marks the tests of one notebook, which runs once for all of them."""
    return pytest.mark.parametrize("cells", [name], indirect=True)


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[BareMachine]]:
    """Three machines that have a Python and nothing else; none where there can be no such machines."""
    if namespaces.missing():
        yield []
        return
    base = Path(sys.base_prefix)
    setup = f"{python_of(base)}; mkdir -p /etc/uv\n"
    if url := index().get("UV_DEFAULT_INDEX", ""):
        setup += f"echo 'index-url = \"{url}\"' >/etc/uv/uv.toml\n"
    with namespaces.making(tmp_path_factory.mktemp("bare")) as make:
        machines = [make(shared=(base,), setup=setup, started=False) for _ in range(3)]
        for machine in machines:
            machine.accept(machines[0].key)
            machine.start()
        yield machines


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest, bare: list[BareMachine]) -> dict[str, str]:
    """What the notebook about machines is told: where there can be bare ones, they are."""
    if bare:
        names, key = [f"root@{machine.address}" for machine in bare], bare[0].key
    else:
        machines = request.getfixturevalue("machines")
        names, key = machines.names, machines.key
    return {"SKYWARD_DEMO_HOSTS": ",".join(names), "SKYWARD_DEMO_KEY": str(key)}


@pytest.fixture(scope="module")
def cells(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The code cells of a notebook by id, after a fresh run."""
    with pytest.MonkeyPatch.context() as environment:
        if request.param == "04_ssh_machines":
            for name, value in request.getfixturevalue("hosts").items():
                environment.setenv(name, value)
        notebook = execute(FOLDER / f"{request.param}.ipynb", timeout=120)
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def printed(cell: Any) -> str:
    """All that a cell shows as text: streams, displays and its value."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])
    )


def images(cell: Any) -> int:
    """Count the pictures that a cell shows."""
    return sum("image/png" in output.get("data", {}) for output in cell["outputs"])


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("cells", [path.stem for path in NOTEBOOKS], indirect=True)
def test_no_cell_warns_or_fails(cells: dict[str, Any]) -> None:
    for identity, cell in cells.items():
        text = printed(cell)
        assert not [output for output in cell.outputs if output.output_type == "error"], identity
        assert "Traceback" not in text, f"{identity}:\n{text}"
        assert "Warning" not in text, f"{identity}:\n{text}"


def test_saved_without_outputs() -> None:
    """What is committed is the source: outputs come from a run."""
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), f"{path.name}, cell {cell.id}"
            assert cell.get("execution_count") is None, f"{path.name}, cell {cell.id}"


@of("01_quickstart")
class TestQuickstart:
    """What 01_quickstart.ipynb promises, cell by cell."""

    def test_eight_processes_answer_the_first_cell(self, cells: dict[str, Any]) -> None:
        pids = re.findall(r"hello from process (\d+)", printed(cells["first"]))
        assert len(set(pids)) == 8

    def test_equal_answers_are_shown_once(self, cells: dict[str, Any]) -> None:
        assert "[0-7]" in printed(cells["expression"])

    def test_the_dashboard_leaves_text_and_html(self, cells: dict[str, Any]) -> None:
        (output,) = [output for output in cells["dashboard"].outputs if "data" in output]
        assert "text/plain" in output.data
        assert "text/html" in output.data

    def test_every_pair_was_tried_once(self, cells: dict[str, Any]) -> None:
        tried = re.findall(r"C=(\S+) +gamma=(\S+) +accuracy", printed(cells["search-nodes"]))
        assert len(tried) == len(set(tried)) == 32
        text = printed(cells["best"])
        assert "32 pairs tried on 8 nodes" in text
        assert float(re.findall(r"accuracy (0\.\d+)", text)[0]) > 0.98

    def test_a_figure_drawn_on_a_node_shows_here(self, cells: dict[str, Any]) -> None:
        assert images(cells["curve"]) == 1
        assert printed(cells["curve-value"]).startswith("{")

    def test_python_and_await_agree(self, cells: dict[str, Any]) -> None:
        assert re.search(r"0\.9\d+", printed(cells["compute"]))
        assert "15/15" in printed(cells["gather"])
        assert "all 8 nodes agree: True" in printed(cells["await"])
        assert re.search(r"new pictures: 0\.9\d", printed(cells["final"]))


@of("02_variables_and_output")
class TestVariables:
    """What 02_variables_and_output.ipynb promises, cell by cell."""

    def test_names_go_in_and_come_out(self, cells: dict[str, Any]) -> None:
        assert sorted(re.findall(r"\[(\d)\] C=(\S+) +accuracy 0\.9", printed(cells["in"]))) == [
            ("0", "0.01"),
            ("1", "0.1"),
            ("2", "1"),
            ("3", "10"),
        ]
        assert re.match(r"\{0.01: 0.9\d+, 0.1: 0.9\d+, 1: 0.9\d+, 10: 0.9\d+\}", printed(cells["out"]))

    def test_the_edited_module_is_what_nodes_run(self, cells: dict[str, Any]) -> None:
        before, after = (re.findall(r"accuracy (0\.\d+)", printed(cells[name])) for name in ("in", "scaled"))
        assert all(float(now) > float(then) for then, now in zip(before, after, strict=True))

    def test_each_seed_was_used_once(self, cells: dict[str, Any]) -> None:
        assert "120/120" in printed(cells["scatter"])
        text = printed(cells["interval"])
        assert "120 samples: accuracy 0.9" in text
        assert images(cells["interval"]) == 1

    def test_nodes_show_figures_and_groups(self, cells: dict[str, Any]) -> None:
        pages = [output.get("data", {}).get("text/html", "") for output in cells["plots"]["outputs"]]
        assert [page.count("<img") for page in pages if "<img" in page] == [2]
        text = printed(cells["group"])
        assert [text.index(f"samples {first} to ") for first in (0, 30, 60, 90)]
        assert text.count("worst 0.9") == 4

    def test_the_error_and_what_was_bound_then(self, cells: dict[str, Any]) -> None:
        assert printed(cells["error"]) == "ValueError: no radius in row 300 (on node 2 of 4)\n"
        assert re.search(r"300 +NaN", printed(cells["pull"]))

    def test_the_run_went_on_meanwhile(self, cells: dict[str, Any]) -> None:
        assert "meanwhile, here: running" in printed(cells["meanwhile"])
        assert "400 tumours: 0.9" in printed(cells["output"])
        assert "node 3: " in printed(cells["logs"])


@of("04_ssh_machines")
class TestMachines:
    """What 04_ssh_machines.ipynb promises."""

    def test_a_node_on_each_machine(self, cells: dict[str, Any]) -> None:
        assert printed(cells["start"]).strip().endswith("3")
        assert sorted(re.findall(r"node (\d): Python 3\.\d+", printed(cells["who"]))) == ["0", "1", "2"]

    def test_calls_and_the_way_in(self, cells: dict[str, Any]) -> None:
        assert re.search(r"pi is about 3\.1\d, from 12 calls", printed(cells["calls"]))
        assert printed(cells["ssh"]).startswith("ssh -p ")
        assert "pool far is stopped" in printed(cells["stop"])

    def test_nothing_runs_there_afterwards(self, cells: dict[str, Any], bare: list[BareMachine]) -> None:
        if not bare:
            pytest.skip(namespaces.missing())
        for machine in bare:
            assert machine.run(f"ps axo args | grep '[s]kyward: ' || :; ls {HOME}/.skyward/pools") == ""

    def test_the_second_start_is_quick(
        self, cells: dict[str, Any], hosts: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """In a kernel that is new."""
        notebook = nbformat.read(FOLDER / "04_ssh_machines.ipynb", as_version=4)
        notebook.cells = [cell for cell in notebook.cells if cell.id in ("hosts", "start", "who", "stop")]
        nbformat.write(notebook, tmp_path / "again.ipynb")
        for name, value in hosts.items():
            monkeypatch.setenv(name, value)
        took: dict[int, float] = {}
        ran = execute(tmp_path / "again.ipynb", on_cell=lambda cell, seconds: took.update({cell: seconds or 0.0}))
        assert "node 2: Python" in printed(ran.cells[2])
        print(f"the second start took {took[1]:.2f} s")
        assert took[1] < 40


@of("05_runs_that_survive")
class TestRunsThatSurvive:
    """What 05_runs_that_survive.ipynb promises."""

    def test_a_stream_that_is_left(self, cells: dict[str, Any]) -> None:
        said = re.search(r"left after (\d+) of 10000 epochs: best accuracy (0\.\d+)", printed(cells["stream"]))
        assert said is not None
        assert 20 < int(said[1]) < 10_000
        assert float(said[2]) > 0.9

    def test_results_in_order_and_as_they_come(self, cells: dict[str, Any]) -> None:
        in_order, as_they_come = (line.split(":")[1].split() for line in printed(cells["gather"]).splitlines() if line)
        assert in_order == list("012345678")
        assert sorted(as_they_come) == in_order

    def test_a_killed_node_costs_nothing_and_is_told(self, cells: dict[str, Any]) -> None:
        text = printed(cells["kill"])
        assert "12 of 12 results, pi is about 3.14" in text
        assert "NodeLost - node 1" in text
        assert "TaskRetried - node 1" in text
        assert "NodeLost: node" in printed(cells["once"])

    def test_jobs_and_their_times(self, cells: dict[str, Any]) -> None:
        assert "15 jobs, pi is about 3.14" in printed(cells["executor"])
        assert any("image/svg+xml" in output.get("data", {}) for output in cells["timeline"].outputs)

    def test_it_grows_and_shrinks(self, cells: dict[str, Any]) -> None:
        assert "40 results; the pool had 1 node, then 3, then 2, then 1" in printed(cells["elastic"])


@of("03_collections")
class TestCollections:
    """What 03_collections.ipynb promises, cell by cell."""

    def test_every_file_is_read_once(self, cells: dict[str, Any]) -> None:
        (files,) = re.findall(r"(\d+) files wait", printed(cells["put"]))
        read = re.findall(r"read (\d+) files", printed(cells["count"]))
        assert len(read) == 4
        assert sum(map(int, read)) == int(files) > 100
        assert f"{files} of {files} files read by 4 nodes" in printed(cells["most"])
        assert re.search(r"^self +\d\d,\d+$", printed(cells["most"]), re.MULTILINE)

    def test_the_steps_of_all_nodes_are_the_same(self, cells: dict[str, Any]) -> None:
        assert "all nodes agree: True" in printed(cells["run"])

    def test_one_at_a_time_has_the_lock(self, cells: dict[str, Any]) -> None:
        lines = printed(cells["lock"]).split("\n")
        assert [line.partition(":")[0] for line in lines if line] == ["1", "2", "3", "4"]
        assert sorted(line[-1] for line in lines if line) == ["0", "1", "2", "3"]
