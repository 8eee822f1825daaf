"""The table of a node's jobs: what is kept, for how long, and what is refused. The agent is played by the test."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skyward_jupyter.agent import jobs as module
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.job import Job, State
from skyward_jupyter.agent.jobs import Conflict, Follower, Full, Gone, Jobs
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import dumps, pack, unpack
from skyward_jupyter.wire.envelope import job as body_of
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Code, Control, Task
from skyward_jupyter.wire.said import packed_clear, packed_display, packed_text


class Host:
    """An agent that remembers what it is asked."""

    def __init__(self, store: BlobStore) -> None:
        self.store = store
        self.codes: dict[str, bytes] = {}
        self.tasks: list[Task] = []
        self.controls: list[Control] = []

    def follow(self, client: str, follower: Follower) -> None:
        assert client == "http"

    def learn(self, code: Code) -> None:
        self.codes[code.digest] = code.body

    def submit(self, client: str, task: Task) -> None:
        self.tasks.append(task)

    def control(self, client: str, control: Control) -> None:
        self.controls.append(control)


class World:
    def __init__(self, directory: Path) -> None:
        self.host = Host(BlobStore(directory))
        self.jobs = Jobs(self.host, 0)

    def submit(self, name: str = "one", body: bytes = b"", **more: float) -> Job:
        path = self.jobs.new_body()
        path.write_bytes(body or body_of(abs, -1))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.jobs.submit(name, path, digest, more.get("timeout", 0.0), "")[0]

    def run(self, job: Job) -> None:
        """Do what a slot does with a job's task."""
        function = unpack(self.host.codes[job.task.code], self.host.store.open)
        self.jobs.began(job.task.id)
        args, kwargs = unpack(job.task.args, self.host.store.open)  # type: ignore[misc]
        value = pack(function(*args, **kwargs), self.host.store.hand_over)  # type: ignore[operator]
        self.jobs.heard(job.task.id, Kind.VALUE, value, 0.5)

    def fail(self, job: Job, how: str = "raised") -> None:
        failed = Failed(how, "LookupError", "oh", "the traceback")
        self.jobs.heard(job.task.id, Kind.ERROR, failed.to_bytes(self.host.store.put), 0.5)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.host.store.directory.rglob("*") if path.is_file())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "store")
    yield made
    for job in made.jobs.all():
        if job.timer is not None:
            job.timer.cancel()


async def test_a_job_from_its_body_to_its_result(world: World) -> None:
    job = world.submit()
    assert (job.state, job.expires) == (State.QUEUED, None)
    world.run(job)
    assert (job.state, job.seconds) == (State.DONE, 0.5)
    assert job.expires is not None
    assert pickle.loads(job.result.read_bytes()) == 1
    assert world.files() == [job.result.name]
    assert [json.loads(entry.data)["state"] for entry in job.log.after(0)[0]] == ["queued", "running", "done"]
    assert job.log.closed


async def test_a_job_sent_twice_runs_once(world: World) -> None:
    first = world.submit("same")
    assert world.submit("same") is first
    assert len(world.host.tasks) == 1


async def test_an_id_stands_for_one_body(world: World) -> None:
    world.submit("same")
    with pytest.raises(Conflict, match="'same' has another body"):
        world.submit("same", body_of(abs, -2))


async def test_a_job_whose_result_is_gone_does_not_run_again(world: World) -> None:
    job = world.submit("same")
    world.run(job)
    world.jobs.discard(job)
    assert world.files() == []
    with pytest.raises(Gone, match="it was deleted"):
        world.jobs.get("same")
    with pytest.raises(Gone, match="use a new id"):
        world.submit("same")
    with pytest.raises(KeyError):
        world.jobs.get("never")


async def test_a_result_expires_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP", 0.01)
    job = world.submit()
    world.run(job)
    async with asyncio.timeout(10):
        while world.jobs.all():  # noqa: ASYNC110 - a timer, which nothing else tells of
            await asyncio.sleep(0.001)
    assert world.files() == []
    assert world.jobs.result_bytes == 0
    with pytest.raises(Gone, match="its result expired"):
        world.jobs.get(job.id)


async def test_what_was_not_fetched_is_never_dropped_for_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    kept = [world.submit(f"job{number}") for number in range(3)]
    world.run(kept[0])
    world.run(kept[1])
    with pytest.raises(Full, match="nobody has fetched"):
        world.jobs.make_room()
    world.jobs.fetched(kept[1])
    world.jobs.make_room()
    assert world.jobs.all() == [kept[0], kept[2]]
    with pytest.raises(Gone, match="needed the room"):
        world.jobs.get("job1")


async def test_results_have_a_bound_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESULT_BYTES", 1000)
    job = world.submit(body=body_of(bytes, 2000))
    world.jobs.make_room()
    world.run(job)
    assert world.jobs.result_bytes > 2000
    with pytest.raises(Full):
        world.jobs.make_room()
    world.jobs.discard(job)
    world.jobs.make_room()


async def test_a_failure_is_told(world: World) -> None:
    job = world.submit()
    world.jobs.began(job.task.id)
    world.fail(job)
    assert job.state is State.FAILED
    assert job.describe()["error"] == {
        "how": "raised",
        "type": "LookupError",
        "text": "oh",
        "traceback": "the traceback",
    }
    assert world.files() == []


async def test_a_failure_that_names_code_is_not_loaded(world: World) -> None:
    loaded: list[int] = []

    class Text(str):
        def __reduce__(self) -> tuple[object, tuple[int]]:
            return loaded.append, (1,)

    job = world.submit()
    failed = ("raised", "LookupError", Text("oh"), "", None, [], {})
    world.jobs.heard(job.task.id, Kind.ERROR, pack(failed, world.host.store.put), 0.5)
    assert job.state is State.FAILED
    assert job.failed is not None
    assert job.failed.text == "(its error could not be read)"
    assert loaded == []


async def test_a_cancelled_job(world: World) -> None:
    job = world.submit()
    world.jobs.cancel(job)
    assert world.host.controls == [Control(job.task.id, "interrupt")]
    world.fail(job, "interrupted")
    assert job.state is State.CANCELLED
    world.jobs.cancel(job)
    assert len(world.host.controls) == 1


async def test_a_job_deleted_while_it_runs_leaves_nothing(world: World) -> None:
    job = world.submit()
    world.jobs.began(job.task.id)
    world.jobs.discard(job)
    assert world.jobs.all() == [job]
    world.fail(job, "interrupted")
    assert world.jobs.all() == []
    assert world.files() == []


async def test_a_task_whose_code_went_is_sent_again(world: World) -> None:
    job = world.submit()
    world.host.codes.clear()
    world.jobs.heard(job.task.id, Kind.CODE, b"", 0.0)
    assert [task.id for task in world.host.tasks] == [job.task.id] * 2
    assert job.task.code in world.host.codes


async def test_output_and_displays_are_told_as_json(world: World) -> None:
    job = world.submit()
    store = world.host.store
    for kind, body in (
        (Kind.OUTPUT, packed_text("stdout", "é\n")),
        (Kind.DISPLAY, packed_display({"text/plain": "x", "image/png": b"png"}, {}, {}, False, store.hand_over)),
        (Kind.CLEAR, packed_clear(True)),
        (Kind.DISPLAY, pack(({"text/plain": Path("pickled")}, {}, {}, False), store.hand_over)),
        (Kind.OUTPUT, packed_text("stderr", "x" * 300_000)),
    ):
        world.jobs.heard(job.task.id, kind, body, 0.0)
    told = [(entry.name, json.loads(entry.data)) for entry in job.log.after(1)[0]]
    told += [(entry.name, json.loads(entry.data)) for entry in job.log.after(5)[0]] if len(told) < 5 else []
    assert told[:3] == [
        ("output", {"stream": "stdout", "text": "é\n"}),
        ("display", {"data": {"text/plain": "x", "image/png": "cG5n"}, "metadata": {}, "update": False}),
        ("clear", {"wait": True}),
    ]
    assert "cannot be read" in told[3][1]["data"]["text/plain"]
    assert len(told[4][1]["text"]) == 300_000
    assert world.files() == [job.body.name]


async def test_the_output_of_all_jobs_has_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 5000)
    jobs = [world.submit(f"job{number}") for number in range(4)]
    for _ in range(3):
        for job in jobs:
            world.jobs.heard(job.task.id, Kind.OUTPUT, packed_text("stdout", "x" * 1000), 0.0)
    assert sum(job.log.size for job in jobs) <= 5000
    assert world.jobs.dropped == sum(job.log.dropped for job in jobs) > 0
    assert jobs[-1].log.dropped == 0


async def test_what_a_predecessor_left_is_removed(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    left = tmp_path / "jobs-0" / "7.result"
    left.parent.mkdir()
    left.write_bytes(dumps(1))
    Jobs(Host(store), 0)
    assert not left.exists()


def pinned(world: World, blob: Blob) -> bool:
    """Whether its store keeps a blob, whatever else comes."""
    world.host.store._keep = 0
    world.host.store.put(b"something else")
    return world.host.store.has(blob.name)


async def test_blobs_are_kept_until_their_job_has_ended(world: World) -> None:
    blob = world.host.store.put(b"large")
    assert world.jobs.expect("one", [blob.name, "0" * 32]) == ["0" * 32]
    job = world.submit("one")
    assert pinned(world, blob)
    world.run(job)
    assert not pinned(world, blob)
    assert world.jobs.expect("one", [blob.name]) == [blob.name], "it has run: nothing is kept for it"


async def test_blobs_of_a_job_that_never_comes_are_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    blob = world.host.store.put(b"large")
    world.jobs.expect("one", [blob.name])
    assert pinned(world, blob)
    deadline = asyncio.get_running_loop().time() + 10
    while pinned(world, blob):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


async def test_an_expectation_that_is_told_twice_holds_once(world: World) -> None:
    blob = world.host.store.put(b"large")
    for _ in range(3):
        world.jobs.expect("one", [blob.name])
    world.run(world.submit("one"))
    assert not pinned(world, blob)
