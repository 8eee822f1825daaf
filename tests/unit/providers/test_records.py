"""The records of pools: private, whole, and one holder at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from skyward_jupyter.agent.lease import started
from skyward_jupyter.providers import records
from skyward_jupyter.providers.records import Holder, NameTaken, NodeRecord, PoolRecord
from skyward_jupyter.providers.terms import Terms
from skyward_jupyter.wire.moments import note_end, now


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYWARD_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def other() -> Iterator[Holder]:
    """A living process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield replace(records.me(), pid=process.pid, since=started(process.pid), name=f"kernel {process.pid}")
        process.kill()


@pytest.fixture
def ended() -> Holder:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(records.me(), pid=process.pid, since=1.0, name=f"kernel {process.pid}")


def record(holder: Holder | None = None, **more: object) -> PoolRecord:
    made = PoolRecord("p~1", "p", "local", "p-cluster", holder or records.me(), "/nowhere", 100.0)
    return replace(made, **more)


def test_only_the_user_can_read_them(state: Path) -> None:
    records.add(record())
    assert state.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in state.iterdir()] == [0o600] * 2


def test_a_record_comes_back_as_it_was() -> None:
    made = record(nodes=(NodeRecord(0, "127.0.0.1:1", 7, 8.5),), size=1, executor="thread")
    records.add(made)
    assert records.read() == ([made], [])
    assert records.find("p~1") == made
    assert records.find("q~1") is None


def test_what_the_pool_was_told_comes_back_and_an_older_record_means_the_usual(state: Path) -> None:
    told = Terms(3, 2, 8, 5.0, retries=0, max_retries=1, patience=7.0, panel="lines")
    records.add(record(terms=told))
    assert records.find("p~1") == record(terms=told)
    written = json.loads((state / "p~1.json").read_text())
    del written["terms"]["panel"]
    (state / "p~1.json").write_text(json.dumps(written))
    assert records.find("p~1") == record(terms=replace(told, panel="auto"))
    del written["terms"]
    (state / "p~1.json").write_text(json.dumps(written))
    assert records.read() == ([record()], [])
    assert record().terms == Terms(retries=3, max_retries=10)


def test_a_damaged_file_is_one_sentence_and_hides_no_other(state: Path) -> None:
    records.add(record())
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"version": 99}'), ("d", '{"version": 1, "holder": 3}')):
        (state / f"{name}.json").write_text(text)
    found, damaged = records.read()
    assert [one.key for one in found] == ["p~1"]
    assert len(damaged) == 4
    assert all("is no record of a pool" in sentence and "\n" not in sentence for sentence in damaged)


def test_a_removed_record_stays_away() -> None:
    records.add(record())
    assert records.remove(record())
    assert records.save(record(state="ready"))
    assert records.read() == ([], [])


def test_readers_never_see_half_a_record() -> None:
    records.add(record())
    over = threading.Event()

    def write() -> None:
        for size in range(200):
            records.save(record(size=size, nodes=tuple(NodeRecord(rank, "x" * 100) for rank in range(size))))
        over.set()

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not over.is_set():
            found, damaged = records.read()
            assert (len(found), damaged) == (1, [])
            assert len(found[0].nodes) == found[0].size
        writing.result()


def test_one_of_many_claims_wins(ended: Holder, other: Holder) -> None:
    records.add(record(ended))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: records.claim("p~1", other), range(8)))
    won = [one for one in taken if one is not None]
    assert len(won) == 1
    assert (won[0].epoch, won[0].holder) == (1, other)


def test_a_living_holder_is_left_alone_unless_forced(other: Holder) -> None:
    records.add(record(other))
    assert records.claim("p~1", records.me()) is None
    taken = records.claim("p~1", records.me(), force=True)
    assert taken is not None
    assert taken.holder == records.me()
    assert records.claim("q~1", records.me()) is None


def test_who_lost_a_pool_writes_no_more(ended: Holder) -> None:
    old = record(ended)
    records.add(old)
    taken = records.claim("p~1", records.me())
    assert taken is not None
    assert not records.is_current(old)
    assert not records.save(replace(old, state="ready"))
    assert not records.remove(old)
    assert records.read() == ([taken], [])
    assert records.remove(taken)


def test_standings(ended: Holder, other: Holder) -> None:
    alive = (NodeRecord(0, "", os.getpid(), started(os.getpid())),)
    reused = (NodeRecord(0, "", os.getpid(), 1.0),)
    assert record().standing == "ours"
    assert record(other).standing == "held"
    assert record(replace(other, host="elsewhere")).standing == "elsewhere"
    assert record(ended, nodes=alive).standing == "left"
    assert record(ended, nodes=reused).standing == "over"
    assert record(ended).standing == "over"
    assert record(replace(other, since=other.since - 60), nodes=alive).standing == "left"


def test_a_name_is_taken_while_somebody_may_use_the_pool(ended: Holder, other: Holder) -> None:
    alive = (NodeRecord(0, "", os.getpid(), started(os.getpid())),)
    assert record().has_name
    assert record(other).has_name
    assert record(ended, nodes=alive).has_name
    assert not record(ended).has_name
    assert not record(ended, left=("a file",)).has_name
    records.add(record(other))
    assert records.names() == {"p"}
    with pytest.raises(NameTaken):
        records.add(record(key="p~2"), alone=True)
    records.add(record(key="p~2", name="q"), alone=True)
    assert records.names() == {"p", "q"}


def test_a_directory_that_is_not_there_has_no_names_and_is_not_made(state: Path) -> None:
    assert records.names() == set()
    assert not state.exists()


def test_ages_are_measured(ended: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = (NodeRecord(0, "", os.getpid(), started(os.getpid())),)
    left = record(ended, nodes=alive, ttl=30.0, began=now(), created=time.time())
    records.add(left)
    os.utime(left.path, (1.0, 1.0))  # written long ago, and no node has seen yet that the kernel ended
    assert (left.left_for, left.ends_in) == (0.0, 30.0)
    note_end(left.path, left.epoch)
    clock, wall, awake = time.clock_gettime, time.time, time.monotonic
    monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + 3600)
    monkeypatch.setattr(time, "monotonic", lambda: awake() + 10)
    monkeypatch.setattr(time, "time", lambda: wall() - 5000)
    assert left.left_for == pytest.approx(3600, abs=5)
    assert left.ends_in == pytest.approx(20, abs=5), "nodes on this machine sleep with it"
    assert left.age == pytest.approx(3600, abs=5)
    far = replace(left, provider="ssh", ttl=7200.0)
    assert far.ends_in == pytest.approx(3600, abs=5), "those on other machines do not"
    over = record(ended, key="p~2")
    records.add(over)
    assert over.left_for is None
    assert records.remove(left)
    assert [path.name for path in left.path.parent.glob("p~1*")] == []
