"""What the benchmark of machines over SSH prints and records, what it sends through, and what it notes of a loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
from time import perf_counter

import pytest

from benchmarks.ssh import __main__ as main
from benchmarks.ssh import report, stream
from benchmarks.ssh.rows import Connections, Start, Wrong
from benchmarks.ssh.weight import longest, loop_stall, thread_stall
from skyward_jupyter.ssh.lines import Lines

BARE = Connections("no tunnel", 30, round_trip=0.0001, rate=1500)
OURS = Connections("ours", 30, 1.0, 0.25, 2.5, 0.012, 0.034, 0.005, 0.75, 4.2, 7, 0.0002, 200)
POOL = Start(30, 1.0, 2.0, 3.0, 3.5, 0.2, 0.01, 0.001, 0.002, 0.003, 0.04, 500, 17.2, 13, 0.047, 1.26, 0.8, 2)


def table(page: str, title: str) -> list[list[str]]:
    """The cells of the table under a title, header first."""
    lines = page.partition(f"## {title}\n")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_a_table_has_a_line_for_each_row() -> None:
    head, bare, ours = report.text(report.CONNECTIONS, [BARE, OURS]).splitlines()
    assert head.split()[:4] == ["nodes", "connect", "tunnels", "streams"]
    assert bare.split() == ["no", "tunnel", "30", *"-" * 9, "0.10", "ms", "1,500", "MiB/s"]
    assert "1.00 s   0.25 s   2.50 s" in ours
    assert len({len(head), len(bare), len(ours)}) == 1


def test_a_pool_says_what_its_start_cost() -> None:
    cells = report.cells(report.POOLS, [POOL])
    said = dict(zip(*cells, strict=True))
    assert said["nodes"] == "30"
    steps = [said[name] for name in ("connected", "prepared", "joined", "ready")]
    assert steps == ["1.00 s", "2.00 s", "3.00 s", "3.50 s"]
    assert (said["stall"], said["own"]) == ("200 ms", "10 ms")
    assert (said["call before p50, p99"], said["call during p50, p99"]) == ("1.00, 2 ms", "3.00, 40 ms")
    assert (said["memory"], said["idle"], said["left"]) == ("17 MiB", "1.3 %", "2")


def test_a_terminal_has_the_tables_that_have_rows() -> None:
    assert report.texts(report.document([], [POOL])).split("\n\n") == ["\n" + report.text(report.POOLS, [POOL]) + "\n"]
    both = report.texts(report.document([OURS], [POOL]))
    assert both == f"\n{report.text(report.CONNECTIONS, [OURS])}\n\n{report.text(report.POOLS, [POOL])}\n"
    assert report.texts(report.document([], [])) == ""


def test_what_fails_does_not_cost_the_others_theirs(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        subprocess.run(["sh", "-c", "exit 3"], check=True)

    assert main.attempt(lambda: OURS, "ours", 30) is OURS
    assert main.attempt(fails, "theirs", 30) is None
    assert "theirs, 30 nodes: failed, its process ended with 3" in capfd.readouterr().err


def test_the_page_is_made_of_what_was_written() -> None:
    found = json.loads(json.dumps(report.document([BARE, OURS], [POOL])))
    assert report.rows(found) == ([BARE, OURS], [POOL])
    page = report.page(found)
    assert table(page, "Connections")[2:] == report.cells(report.CONNECTIONS, [BARE, OURS])[1:]
    assert table(page, "Pools")[2:] == report.cells(report.POOLS, [POOL])[1:]
    assert f"{found['machine']['cpus']} processors" in page
    assert f"asyncssh {found['machine']['versions']['asyncssh']}" in page
    assert max(len(line) for line in page.splitlines() if not line.startswith(("|", "("))) <= 120


def test_the_page_says_what_was_not_measured() -> None:
    page = report.page(report.document([OURS], []))
    assert table(page, "Pools") == []
    assert "Not measured." in page.partition("## Pools")[2]


def test_a_shell_writes_every_line() -> None:
    said = subprocess.run(["sh", "-c", stream.COMMAND], capture_output=True, check=True).stdout
    assert said.count(b"\r") == stream.COUNT / 10
    lines = Lines()
    stream.check([*lines.feed(said), *lines.end()])


@pytest.mark.parametrize("came", [stream.LINES[:-1], stream.LINES[1:], [*stream.LINES, "more"], []])
def test_a_line_that_is_missing_is_noted(came: list[str]) -> None:
    with pytest.raises(Wrong, match=f"of 200 lines {len(came)} came"):
        stream.check(came)


async def test_a_loop_that_computes_is_seen() -> None:
    async with loop_stall() as stall:
        compute(0.1)
    assert stall.seconds >= 0.09
    assert longest(stall, stall) == stall.own
    assert stall.own is None or 0 < stall.own <= stall.seconds


async def test_a_loop_that_waits_does_not_stall() -> None:
    over = asyncio.Event()
    async with loop_stall() as stall:
        asyncio.get_running_loop().call_later(0.3, over.set)
        await over.wait()
    # Nobody promises how soon it gets a processor; what it waited for that does not count.
    assert stall.own is None or stall.own < 0.2


def test_a_thread_is_watched_until_its_end() -> None:
    with thread_stall() as stall:
        compute(0.05)
    assert stall.seconds > 0


def compute(seconds: float) -> None:
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass
