"""What callers of the HTTP API do wrong, and what happens to them when a node goes: the others go on."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import skyward as sky
from skyward_jupyter.agent.http_server import HEAD_WITHIN
from skyward_jupyter.wire.envelope import HEADER, job
from tests.faults.conftest import World


@sky.compute
def plus(n: int) -> int:
    return n + 1


@pytest.fixture
def http(pool: sky.ComputePool) -> Iterator[httpx.Client]:
    """Node 1. Afterwards every node takes calls, and this one takes jobs."""
    headers = {"Authorization": f"Bearer {pool.token}"}
    with httpx.Client(base_url=pool.endpoints[1], headers=headers, timeout=30, trust_env=False) as made:
        yield made
        before = {view.rank: view.pid for view in pool.nodes}
        assert plus(1) @ pool == [2, 2, 2]
        assert made.get("/health").text == "ok\n"
        assert state(made, send(made, job(abs, -1)).json()["id"]) == "done"
        assert {view.rank: view.pid for view in pool.nodes} == before


def send(http: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return http.post("/v1/jobs", content=body, headers=headers)


def state(http: httpx.Client, name: str) -> str:
    """How a job ended."""
    http.get(f"/v1/jobs/{name}/result", params={"wait": 30})
    ended: str = http.get(f"/v1/jobs/{name}").json()["state"]
    return ended


def raw(pool: sky.ComputePool, data: bytes = b"") -> socket.socket:
    """A connection to node 1, on which `data` was sent."""
    host, _, port = pool.endpoints[1].removeprefix("http://").rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=30)
    made.sendall(data)
    return made


def answer(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


@pytest.mark.parametrize("token", [None, "wrong", "é"])
def test_without_the_token_nothing_is_told_or_run(
    pool: sky.ComputePool, http: httpx.Client, tmp_path: Path, token: str | None
) -> None:
    headers = [] if token is None else [(b"Authorization", f"Bearer {token}".encode())]
    mark = tmp_path / "ran"
    with httpx.Client(base_url=pool.endpoints[1], trust_env=False, headers=headers) as stranger:
        for body in (job(Path.touch, mark), bytes(5 * 2**20)):
            response = stranger.post("/v1/jobs", content=body)
            assert response.status_code == 401
            assert pool.token not in response.text
        for path in ("/metrics", "/openapi.json", "/v1/jobs", "/v1/jobs/x", "/v1/jobs/x/result", "/v1/jobs/x/events"):
            assert stranger.get(path).status_code == 401
        assert stranger.delete("/v1/jobs/x").status_code == 401
    assert http.get("/v1/jobs").json() == {"jobs": []}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("spoil", "status", "detail"),
    [
        (lambda body: b"", 400, "ends within the header"),
        (lambda body: body[:30], 400, "ends within the header"),
        (lambda body: body[:-5], 400, "cut short"),
        (lambda body: body + b"more", 400, "more bytes than"),
        (lambda body: body[:-1] + b"x", 400, "changed on its way"),
        (lambda body: body[HEADER.size :], 400, "does not start with SKYJ"),
        (lambda body: b"\x00" * len(body), 400, "does not start with SKYJ"),
        (lambda body: body[:6] + bytes([sys.version_info.minor - 1]) + body[7:], 422, "made by Python 3."),
    ],
)
def test_a_body_that_is_no_job_is_not_unpickled(
    http: httpx.Client, tmp_path: Path, spoil: Callable[[bytes], bytes], status: int, detail: str
) -> None:
    mark = tmp_path / "loaded"

    class Touches:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    response = send(http, spoil(job(abs, Touches())))
    assert response.status_code == status
    assert detail in response.json()["detail"]
    assert http.get("/v1/jobs").json() == {"jobs": []}
    assert not mark.exists()


@pytest.mark.parametrize("path", ["/v1/jobs", "/health", "/nowhere"])
def test_a_body_is_not_read_before_the_token_is_shown(pool: sky.ComputePool, http: httpx.Client, path: str) -> None:
    piece, taken = bytes(2**20), 0
    with raw(pool, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**31}\r\n\r\n".encode()) as connection:
        try:
            while taken < 2**31:
                taken += connection.send(piece)
        except ConnectionError:
            pass
    print(f"{taken} bytes were taken")
    assert taken < 32 * 2**20  # what both kernels keep for a connection; none of it is kept here


def test_an_oversized_body_is_refused_before_it_comes(pool: sky.ComputePool, http: httpx.Client) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pool.token}\r\n"
    with raw(pool, f"{head}Content-Length: {10**12}\r\nConnection: close\r\n\r\n".encode()) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 413 ")


def test_ids_that_are_not_known(http: httpx.Client) -> None:
    for path in ("", "/result", "/events"):
        response = http.get(f"/v1/jobs/never{path}")
        assert (response.status_code, response.json()["detail"]) == (404, "node 1 has no job 'never'")
    assert http.post("/v1/jobs/never/cancel").status_code == 404
    assert http.delete("/v1/jobs/never").status_code == 404


def test_a_payload_that_cannot_be_loaded(http: httpx.Client) -> None:
    from skyward_jupyter.wire.envelope import sealed

    for pickled in (b"not a pickle", b"cnowhere\nnothing\n.", b"", b"(lp0\n."):
        response = send(http, sealed(pickled))
        assert response.status_code == 201
        failed = http.get(f"/v1/jobs/{response.json()['id']}/result", params={"wait": 30}).json()
        assert failed["error"]["how"] == "input", failed


def test_a_result_that_cannot_be_pickled(http: httpx.Client) -> None:
    name = send(http, job(threading.Lock)).json()["id"]
    failed = http.get(f"/v1/jobs/{name}/result", params={"wait": 30}).json()
    assert (failed["error"]["how"], failed["state"]) == ("result", "failed")
    assert "cannot pickle" in failed["error"]["text"]


def test_a_job_that_kills_its_slot(http: httpx.Client) -> None:
    name = send(http, job(os.kill, 0, signal.SIGKILL)).json()["id"]
    failed = http.get(f"/v1/jobs/{name}/result", params={"wait": 30}).json()
    assert (failed["error"]["how"], failed["state"]) == ("died", "failed")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
        os.urandom(4000),
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 40_000,
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: v\r\n" % n for n in range(20_000)) + b"\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["tls", "random", "length", "version", "blank", "path", "headers", "chunks", "http2"],
)
def test_bytes_that_are_no_http_are_refused(pool: sky.ComputePool, http: httpx.Client, data: bytes) -> None:
    with contextlib.suppress(ConnectionError), raw(pool, data) as connection:
        # A connection that was refused before all had come has no half left to close.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        assert not answer(connection).startswith(b"HTTP/1.1 2")


def test_garbage_within_a_body_that_is_read(pool: sky.ComputePool, http: httpx.Client) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pool.token}\r\nTransfer-Encoding: chunked\r\n"
    with raw(pool, f"{head}\r\n3\r\nSKY\r\nnot a chunk\r\n".encode()) as connection:
        assert not answer(connection).startswith(b"HTTP/1.1 2")


def test_a_sender_that_vanishes_in_the_middle(pool: sky.ComputePool, http: httpx.Client, world: World) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pool.token}\r\nContent-Length: 1000000\r\n\r\n"
    for _ in range(20):
        raw(pool, head.encode() + job(abs, -1)[:50]).close()
    files = [path for store in world.files(pool.name) for path in store.rglob("*.body")]
    world.until(lambda: not any(path.exists() for path in files), "what came is removed")
    assert http.get("/v1/jobs").json() == {"jobs": []}


def test_requests_that_never_end_are_closed(pool: sky.ComputePool, http: httpx.Client) -> None:
    starts = [b"", b"G", b"GET /health HTTP/1.1\r\nHost: x\r\nSlow: ", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /h"]
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(raw(pool, start)) for start in starts for _ in range(10)]
        assert http.get("/health").text == "ok\n"
        for connection in slow:
            assert answer(connection).count(b"HTTP/1.1") <= 1
    assert time.monotonic() - began < 3 * HEAD_WITHIN


def test_too_many_connections_leave_the_node_alone(pool: sky.ComputePool, http: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(700):
            with contextlib.suppress(OSError):
                stack.enter_context(raw(pool))
        assert plus(1) @ pool == [2, 2, 2]
    assert http.get("/health").text == "ok\n"


def test_readers_of_events_that_vanish(pool: sky.ComputePool, http: httpx.Client, tmp_path: Path) -> None:
    def talk(path: str) -> int:
        count = 0
        while not Path(path).exists():
            print("x" * 1000)
            count += 1
        return count

    go = tmp_path / "go"
    name = send(http, job(talk, str(go))).json()["id"]
    for _ in range(20):
        with http.stream("GET", f"/v1/jobs/{name}/events") as response:
            next(response.iter_bytes())
    with http.stream("GET", f"/v1/jobs/{name}/events") as never_read:
        assert never_read.status_code == 200
        assert plus(1) >> pool == 2
        go.touch()
        assert state(http, name) == "done"


def where(n: int) -> tuple[int, int]:
    time.sleep(0.01)
    return n, sky.instance_info().node


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def pid_of(pool: sky.ComputePool, node: int) -> int:
    return next(view.pid for view in pool.nodes if view.rank == node)


def replaced(pool: sky.ComputePool, node: int, old: int) -> bool:
    view = next((view for view in pool.nodes if view.rank == node), None)
    return view is not None and view.pid not in (0, old) and view.phase == "ready"


def test_a_node_killed_under_an_executor_is_named(pool: sky.ComputePool, world: World, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with sky.Executor(pool) as executor:
        busy = [executor.submit(wait_for, str(go)) for _ in range(3)]
        world.until(lambda: all(future.running() for future in busy), "every node is busy")
        old = pid_of(pool, 1)
        world.until(lambda: _busy(pool, 1), "node 1 runs its job")
        os.kill(old, signal.SIGKILL)
        world.until(lambda: any(future.done() for future in busy), "the lost job is reported")
        go.touch()
        errors = [future.exception(60) for future in busy]
        lost = [error for error in errors if error is not None]
        assert [type(error) for error in lost] == [sky.NodeLost]
        assert "node 1 was lost" in str(lost[0])
        world.until(lambda: replaced(pool, 1, old), "node 1 is back")
        assert sorted(future.result(60)[0] for future in [executor.submit(where, n) for n in range(9)]) == list(
            range(9)
        )


def _busy(pool: sky.ComputePool, node: int) -> bool:
    headers = {"Authorization": f"Bearer {pool.token}"}
    metrics = httpx.get(f"{pool.endpoints[node]}/metrics", headers=headers, trust_env=False).text
    return "skyward_slots_busy 1.0" in metrics


def test_random_kills_under_an_executor_lose_nothing_silently(pool: sky.ComputePool, world: World) -> None:
    import random

    random.seed(11)
    total, kills = 300, 3

    def enough(futures: Sequence[concurrent.futures.Future[Any]], count: float) -> bool:
        return sum(future.done() for future in futures) > count

    with sky.Executor(pool) as executor:
        futures = [executor.submit(where, n) for n in range(total)]
        for round_ in range(kills):
            world.until(partial(enough, futures, (round_ + 1) * total / 6), "some jobs are done")
            view = random.choice([view for view in pool.nodes if view.phase == "ready"])
            os.kill(view.pid, signal.SIGKILL)
            world.until(partial(replaced, pool, view.rank, view.pid), f"node {view.rank} is back")
        errors = [future.exception(60) for future in futures]
    returned = sum(error is None and futures[n].result()[0] == n for n, error in enumerate(errors))
    named = sum(isinstance(error, sky.NodeLost) and error.node in (0, 1, 2) for error in errors)
    print(f"{total} jobs, {kills} nodes killed: {returned} returned, {named} named as lost")
    other = [error for error in errors if error is not None and not isinstance(error, sky.NodeLost)]
    assert other == []
    assert returned + named == total
    assert named <= kills


def test_a_port_that_is_taken_leaves_the_node_without(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from skyward_jupyter.fleets import local

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setattr(local.LocalFleet, "_http_address", lambda self, rank: address)
        with sky.ComputePool(nodes=2) as pool:
            assert plus(1) @ pool == [2, 2]
            assert pool.endpoints == {}
            world.until(lambda: any(f"no HTTP API on {address}" in line for line in pool.nodes[1].log), "it says why")
            monkeypatch.setattr("skyward_jupyter.api.backlog.NODES_WITHIN", 0.2)
            with sky.Executor(pool) as executor, pytest.raises(sky.PoolError, match="could be reached over HTTP"):
                executor.submit(abs, 1).result(60)
