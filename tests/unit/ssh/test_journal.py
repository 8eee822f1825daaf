"""What a preparation tells as it goes, and what it says when it fails."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from skyward_jupyter.ssh.journal import LAST, Journal
from skyward_jupyter.ssh.script import Fact
from skyward_jupyter.ssh.steps import Step


@pytest.fixture
def told() -> list[Step]:
    return []


@pytest.fixture
def journal(told: list[Step]) -> Journal:
    return Journal("me@box:22", told.append, lambda text: text.replace("hunter2", "***"))


def hear(journal: Journal, *facts: str) -> None:
    for fact in facts:
        journal.heard(Fact(*fact.split(" ", 1)) if " " in fact else Fact(fact, ""))


def test_steps_are_told_as_they_come(journal: Journal, told: list[Step]) -> None:
    hear(journal, "begin uv")
    journal.line("fetching with hunter2")
    hear(journal, "end", "begin venv", "line /usr/bin/python3", "end")
    assert [(step.name, step.state, step.text) for step in told] == [
        ("uv", "started", ""),
        ("uv", "line", "fetching with ***"),
        ("uv", "done", ""),
        ("venv", "started", ""),
        ("venv", "line", "/usr/bin/python3"),
        ("venv", "done", ""),
    ]
    assert {step.machine for step in told} == {"me@box:22"}


def test_a_step_that_goes_on_is_one(journal: Journal, told: list[Step]) -> None:
    hear(journal, "begin uv", "needs uv")
    journal.start("uv", "fetching uv here")
    journal.done()
    assert [step.state for step in told] == ["started", "done"]


def test_a_command_that_failed(journal: Journal, told: list[Step]) -> None:
    hear(journal, "begin packages", "command uv pip install --token hunter2")
    for number in range(LAST + 5):
        journal.line(f"line {number}")
    hear(journal, "free 99000000", "status 2")
    error = journal.failure()
    assert (error.machine, error.step, error.command) == ("me@box:22", "packages", "uv pip install --token ***")
    assert error.why == "`uv pip install --token ***` ended with status 2"
    assert error.last == tuple(f"line {number}" for number in range(5, LAST + 5))
    assert told[-1].state == "failed"
    log = Path(error.log).read_text()
    assert "line 0\n" in log
    assert "hunter2" not in log + str(error)


def test_little_room_is_said(journal: Journal) -> None:
    hear(journal, "begin packages", "command uv", "free 3072", "status 2")
    assert journal.failure().why == "`uv` ended with status 2; only 3 MiB are free there: make room on that disk"


@pytest.mark.parametrize(
    ("status", "why"), [(2, "ended with status 2"), (-9, "was ended by signal 9"), (137, "was ended by signal 9")]
)
def test_a_shell_that_gave_no_reason(journal: Journal, status: int, why: str) -> None:
    hear(journal, "begin look")
    assert journal.failure(ended=status).why == f"its shell {why}"


def test_a_reason_that_the_machine_gave(journal: Journal) -> None:
    hear(journal, "begin python", "why there is no Python")
    assert journal.failure().why == "there is no Python"


def test_a_break_forgets_what_the_machine_said(journal: Journal, told: list[Step]) -> None:
    hear(journal, "begin look", "root /r", "gpu 0, x", "missing abc")
    journal.cut("the connection broke")
    assert (journal.facts, journal.gpus) == ({}, [])
    assert (told[-1].state, told[-1].text) == ("failed", "the connection broke")


def test_the_error_travels(journal: Journal) -> None:
    hear(journal, "begin uv", "command x", "status 1")
    journal.line("said")
    error = journal.failure()
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.step, again.last, again.log) == (str(error), error.step, error.last, error.log)
