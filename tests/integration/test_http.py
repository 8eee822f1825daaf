"""The HTTP API of real nodes, called as somebody with curl would."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import pickle
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import skyward as sky
from skyward_jupyter.agent.failure import Failed, rebuild
from skyward_jupyter.wire.envelope import job
from tests.integration.conftest import Until


@pytest.fixture
def http(pool: sky.ComputePool) -> Iterator[httpx.Client]:
    """Node 1 of the pool."""
    with httpx.Client(
        base_url=pool.endpoints[1], headers={"Authorization": f"Bearer {pool.token}"}, timeout=30, trust_env=False
    ) as made:
        yield made


def submitted(http: httpx.Client, function: Any, *args: Any, **params: Any) -> str:
    response = http.post("/v1/jobs", content=job(function, *args), params=params)
    assert response.status_code == 201, response.text
    name: str = response.json()["id"]
    return name


def result(http: httpx.Client, name: str) -> httpx.Response:
    return http.get(f"/v1/jobs/{name}/result", params={"wait": 30})


def events(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Server-sent events: id, name and data."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and line)
        if lines:
            found.append((lines.get("id", ""), lines["event"], json.loads(lines["data"])))
    return found


def where(n: int) -> tuple[int, int]:
    return n, sky.instance_info().node


def speak(count: int) -> None:
    for number in range(count):
        print(f"line {number}", flush=True)
    print("to the other stream", file=sys.stderr)


def sleep_until(path: str) -> str:
    try:
        Path(path).with_suffix(".begun").touch()
        while not Path(path).exists():
            time.sleep(0.002)
    except KeyboardInterrupt:
        Path(path).with_suffix(".stopped").touch()
        raise
    return "slept"


def fail() -> None:
    try:
        {}["inner"]
    except KeyError as error:
        raise LookupError("outer") from error


def test_every_node_has_an_endpoint_that_answers(pool: sky.ComputePool) -> None:
    assert list(pool.endpoints) == [0, 1, 2]
    for url in pool.endpoints.values():
        assert httpx.get(f"{url}/health", trust_env=False).text == "ok\n"


def test_endpoints_come_and_go_with_the_nodes() -> None:
    with sky.ComputePool(nodes=1) as pool:
        pool.scale(3)
        assert list(pool.endpoints) == [0, 1, 2]
        pool.scale(1)
        assert list(pool.endpoints) == [0]
    assert pool.endpoints == {}


def test_a_pool_that_has_not_started_has_none() -> None:
    pool = sky.ComputePool(nodes=1)
    with pytest.raises(sky.NoPool):
        pool.endpoints
    with pytest.raises(sky.NoPool):
        pool.token


def test_the_token_is_shown_nowhere(pool: sky.ComputePool) -> None:
    assert len(pool.token) >= 43
    assert pool.token not in repr(pool) + repr(pool.nodes) + repr(vars(pool))
    hub = pool._inner.hub
    assert hub is not None
    kept = Path(hub.fleet.certificates) / "token"
    assert kept.read_text() == pool.token
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    @sky.compute
    def seen() -> str:
        import os

        return repr(dict(os.environ)) + Path("/proc/self/cmdline").read_text()

    assert pool.token not in "".join(seen() @ pool)


def test_a_job_runs_on_the_node_that_was_asked(http: httpx.Client) -> None:
    response = result(http, submitted(http, where, 21))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert pickle.loads(response.content) == (21, 1)
    assert float(response.headers["Skyward-Seconds"]) >= 0


def test_a_result_can_be_fetched_again_until_it_is_deleted(http: httpx.Client) -> None:
    name = submitted(http, where, 1)
    assert result(http, name).content == result(http, name).content
    about = http.get(f"/v1/jobs/{name}").json()
    assert (about["state"], about["node"]) == ("done", 1)
    assert 0 < about["expires"] - time.time() <= 300
    assert http.delete(f"/v1/jobs/{name}").status_code == 204
    assert result(http, name).status_code == 410


def test_a_large_job_and_a_large_result(http: httpx.Client) -> None:
    given = bytes(range(256)) * 40_000
    response = result(http, name := submitted(http, lambda data: data + data, given))
    assert pickle.loads(response.content) == given * 2
    http.delete(f"/v1/jobs/{name}")


def test_an_exception_is_told_and_can_be_rebuilt(http: httpx.Client) -> None:
    response = result(http, submitted(http, fail))
    assert response.status_code == 409
    told = response.json()
    assert (told["state"], told["node"]) == ("failed", 1)
    assert (told["error"]["how"], told["error"]["type"], told["error"]["text"]) == ("raised", "LookupError", "outer")
    assert 'raise LookupError("outer") from error' in told["error"]["traceback"]
    failed = Failed.from_bytes(base64.b64decode(told["failure"]), lambda blob: b"")
    assert failed.how == "raised"
    assert isinstance(rebuild(failed, 1), LookupError)


def test_what_a_job_writes_is_streamed(http: httpx.Client) -> None:
    name = submitted(http, speak, 3)
    with http.stream("GET", f"/v1/jobs/{name}/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        seen = events(response.read().decode())
    states = [data["state"] for _, event, data in seen if event == "state"]
    assert states == ["queued", "running", "done"]
    text = {
        stream: "".join(data["text"] for _, event, data in seen if event == "output" and data["stream"] == stream)
        for stream in ("stdout", "stderr")
    }
    assert text == {"stdout": "line 0\nline 1\nline 2\n", "stderr": "to the other stream\n"}
    assert [number for number, _, _ in seen] == [str(number + 1) for number in range(len(seen))]


def test_output_arrives_while_the_job_runs(http: httpx.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def speak_and_wait(path: str) -> None:
        print("before", flush=True)
        while not Path(path).exists():
            time.sleep(0.002)
        print("after", flush=True)

    name = submitted(http, speak_and_wait, str(go))
    seen: list[str] = []
    with http.stream("GET", f"/v1/jobs/{name}/events") as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and "text" in (data := json.loads(line[6:])):
                seen.append(data["text"])
                go.touch()
    assert seen == ["before\n", "after\n"]


def test_a_reader_goes_on_where_it_was_and_several_read_the_same(http: httpx.Client) -> None:
    name = submitted(http, speak, 5)
    result(http, name)
    whole = events(http.get(f"/v1/jobs/{name}/events").text)
    assert events(http.get(f"/v1/jobs/{name}/events").text) == whole
    for at in (1, 3, len(whole) - 1):
        rest = http.get(f"/v1/jobs/{name}/events", headers={"Last-Event-ID": str(at)})
        assert events(rest.text) == whole[at:]
    assert http.get(f"/v1/jobs/{name}/events", headers={"Last-Event-ID": whole[-1][0]}).status_code == 204


def test_output_that_is_not_wanted_is_not_kept(http: httpx.Client) -> None:
    for output, streams in (("none", set()), ("stderr", {"stderr"}), ("all", {"stdout", "stderr"})):
        name = submitted(http, speak, 2, output=output)
        seen = events(http.get(f"/v1/jobs/{name}/events").text)
        assert {data["stream"] for _, event, data in seen if event == "output"} == streams


def test_more_output_than_is_kept_is_counted(http: httpx.Client) -> None:
    def shout() -> None:
        for _ in range(100):
            print("x" * 99_999)

    name = submitted(http, shout)
    result(http, name)
    seen = events(http.get(f"/v1/jobs/{name}/events").text)
    (dropped,) = [data["bytes"] for _, event, data in seen if event == "dropped"]
    assert http.get(f"/v1/jobs/{name}").json()["dropped_bytes"] == dropped > 5_000_000
    assert [data["state"] for _, event, data in seen if event == "state"] == ["queued", "running", "done"]
    assert "skyward_log_dropped_bytes_total" in http.get("/metrics").text
    http.delete(f"/v1/jobs/{name}")


def test_cancelling_stops_the_code(http: httpx.Client, tmp_path: Path, until: Until) -> None:
    path = tmp_path / "never"
    name = submitted(http, sleep_until, str(path))
    until(path.with_suffix(".begun").exists, "it runs")
    assert http.get(f"/v1/jobs/{name}").json()["state"] == "running"
    assert http.post(f"/v1/jobs/{name}/cancel").status_code in (200, 202)
    response = result(http, name)
    assert (response.status_code, response.json()["state"]) == (409, "cancelled")
    assert path.with_suffix(".stopped").exists()
    assert http.post(f"/v1/jobs/{name}/cancel").status_code == 200


def test_a_job_that_takes_too_long(http: httpx.Client, tmp_path: Path) -> None:
    response = result(http, submitted(http, sleep_until, str(tmp_path / "never"), timeout=0.1))
    assert (response.status_code, response.json()["error"]["how"]) == (409, "timeout")


def test_jobs_share_the_node_with_calls(pool: sky.ComputePool, http: httpx.Client, tmp_path: Path) -> None:
    @sky.compute
    def rank() -> int:
        return sky.instance_info().node

    go = tmp_path / "go"
    name = submitted(http, sleep_until, str(go))
    calls = [rank() > pool for _ in range(6)]
    assert concurrent.futures.wait(calls, 20, "FIRST_COMPLETED").done
    go.touch()
    assert pickle.loads(result(http, name).content) == "slept"
    assert {future.result(20) for future in calls} <= {0, 1, 2}
    assert rank() @ pool == [0, 1, 2]


def test_the_metrics_follow_what_runs(http: httpx.Client, tmp_path: Path, until: Until) -> None:
    def value(name: str) -> float:
        line = next(line for line in http.get("/metrics").text.split("\n") if line.startswith(f"{name} "))
        return float(line.rpartition(" ")[2])

    go = tmp_path / "go"
    name = submitted(http, sleep_until, str(go))
    until(lambda: value("skyward_slots_busy") == 1, "the slot is busy")
    assert value('skyward_tasks{state="running"}') == 1
    done = value('skyward_tasks_ended_total{outcome="done"}')
    go.touch()
    result(http, name)
    assert value('skyward_tasks_ended_total{outcome="done"}') == done + 1
    assert value("skyward_memory_bytes") > 10e6
    assert value("skyward_uptime_seconds") > 0


def test_curl_and_nothing_of_ours(pool: sky.ComputePool, tmp_path: Path) -> None:
    """A job made as the description says, by a Python that has cloudpickle and not this project."""
    code = """
import cloudpickle, hashlib, struct, sys
def triple(n): return 3 * n
pickled = cloudpickle.dumps((triple, (14,), {}))
digest = hashlib.sha256(pickled).digest()
header = struct.pack("<4sBBBxQ32s", b"SKYJ", 1, *sys.version_info[:2], len(pickled), digest)
open(sys.argv[1], "wb").write(header + pickled)
"""
    body = tmp_path / "job"
    subprocess.run([sys.executable, "-c", code, str(body)], check=True, cwd=tmp_path)
    url, token = pool.endpoints[0], pool.token
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as http:
        name = http.post(f"{url}/v1/jobs", content=body.read_bytes()).json()["id"]
        assert pickle.loads(http.get(f"{url}/v1/jobs/{name}/result?wait=20").content) == 42
