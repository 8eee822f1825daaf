"""The routes of the HTTP API without a server: who gets in, what is refused, and that all of it is described."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from skyward_jupyter.agent import http_body, http_routes
from skyward_jupyter.agent.channel import Channel
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.gpus import GpuMeter
from skyward_jupyter.agent.http_openapi import description
from skyward_jupyter.agent.jobs import MOST, Jobs
from skyward_jupyter.agent.node import Agent
from skyward_jupyter.wire import envelope
from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.envelope import job

TOKEN = "secret-of-the-pool"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class World:
    """The API of an agent without slots."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.jobs = Jobs(agent, 0)
        self.app: Starlette = http_routes.application(agent, self.jobs, TOKEN)

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://node", headers=headers)

    def files(self) -> list[Path]:
        return [path for path in self.agent.store.directory.rglob("*") if path.is_file()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    import socket

    ours, theirs = socket.socketpair()
    with ours:
        config = AgentConfig("unit", 0, "127.0.0.1:25520", (), "unit", str(tmp_path / "store"))
        made = World(Agent(config, Channel(theirs)))
        theirs.close()
        return made


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(BEARER) as made:
        yield made


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN} "[:-2]},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer é".encode("latin-1").decode("latin-1")},
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/v1/jobs", "/v1/jobs/x/result", "/nothing"])
async def test_nobody_gets_in_without_the_token(world: World, headers: dict[str, str], path: str) -> None:
    async with world.client() as http:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await http.get(path, headers=raw)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "pool.token" in response.json()["detail"]


async def test_a_body_without_the_token_is_not_read(world: World) -> None:
    read: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield job(abs, 1)

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        read.append(1)
        return {"type": "http.request", "body": job(abs, 1), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [], "query_string": b""}
    await world.app(scope, receive, send)
    assert sent[0]["status"] == 401
    assert read == []
    assert world.jobs.all() == []


async def test_the_scheme_may_be_written_in_any_case(world: World) -> None:
    async with world.client({"Authorization": f"bearer {TOKEN}"}) as http:
        assert (await http.get("/v1/jobs")).status_code == 200


async def test_health_is_open_and_says_no_more(world: World) -> None:
    async with world.client() as http:
        response = await http.get("/health")
    assert (response.status_code, response.text) == (200, "ok\n")


async def test_another_process_is_not_taken_for_the_one_meant(http: httpx.AsyncClient) -> None:
    instance = (await http.get("/health")).headers["Skyward-Instance"]
    assert (await http.get("/v1/jobs", headers={"Skyward-Instance": instance})).status_code == 200
    response = await http.get("/v1/jobs", headers={"Skyward-Instance": "another"})
    assert response.status_code == 412
    assert "took its place" in response.json()["detail"]


async def test_a_job_is_queued_once(http: httpx.AsyncClient, world: World) -> None:
    first = await http.post("/v1/jobs", content=job(abs, 1), headers={"Idempotency-Key": "mine"})
    again = await http.post("/v1/jobs", content=job(abs, 1), headers={"Idempotency-Key": "mine"})
    other = await http.post("/v1/jobs", content=job(abs, 2), headers={"Idempotency-Key": "mine"})
    assert [response.status_code for response in (first, again, other)] == [201, 200, 409]
    assert first.headers["Location"] == "/v1/jobs/mine"
    assert first.json() == again.json()
    assert "new id" in other.json()["detail"]
    assert world.agent.queued == 1
    assert len(world.files()) == 1
    assert [known["id"] for known in (await http.get("/v1/jobs")).json()["jobs"]] == ["mine"]


async def test_a_job_cancelled_while_it_waits(http: httpx.AsyncClient, world: World) -> None:
    await http.post("/v1/jobs", content=job(abs, 1), headers={"Idempotency-Key": "mine"})
    assert (await http.post("/v1/jobs/mine/cancel")).json()["state"] == "cancelled"
    response = await http.get("/v1/jobs/mine/result")
    assert (response.status_code, response.json()["error"]["how"]) == (409, "interrupted")
    assert (await http.delete("/v1/jobs/mine")).status_code == 204
    assert (await http.get("/v1/jobs/mine")).status_code == 410
    assert world.agent.queued == 0
    assert world.files() == []


async def test_a_result_that_does_not_come_is_not_waited_for_longer(http: httpx.AsyncClient) -> None:
    await http.post("/v1/jobs", content=job(abs, 1), headers={"Idempotency-Key": "mine"})
    response = await http.get("/v1/jobs/mine/result?wait=0.02")
    assert (response.status_code, response.json()["state"]) == (202, "queued")


@pytest.mark.parametrize(
    ("path", "headers", "detail"),
    [
        ("/v1/jobs?timeout=-1", {}, "timeout='-1'"),
        ("/v1/jobs?timeout=nan", {}, "timeout='nan'"),
        ("/v1/jobs?timeout=inf", {}, "timeout='inf'"),
        ("/v1/jobs?timeout=soon", {}, "timeout='soon'"),
        ("/v1/jobs?output=loud", {}, "output='loud'"),
        ("/v1/jobs", {"Idempotency-Key": "../../etc"}, "Idempotency-Key"),
        ("/v1/jobs", {"Idempotency-Key": "x" * 101}, "Idempotency-Key"),
    ],
)
async def test_what_cannot_be_meant_is_named(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], detail: str
) -> None:
    response = await http.post(path, content=job(abs, 1), headers=headers)
    assert response.status_code == 400
    assert detail in response.json()["detail"]


@pytest.mark.parametrize("given", ["-1", "x", "٣", "9" * 30])
async def test_a_last_event_that_never_was(http: httpx.AsyncClient, given: str) -> None:
    await http.post("/v1/jobs", content=job(abs, 1), headers={"Idempotency-Key": "mine"})
    response = await http.get("/v1/jobs/mine/events", params={"after": given})
    assert response.status_code == 400


@pytest.mark.parametrize("announced", [True, False])
async def test_an_oversized_body_is_refused(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    monkeypatch.setattr(envelope, "LIMIT", 2**20)
    body = job(len, bytes(2 * 2**20))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    response = await http.post("/v1/jobs", content=body if announced else pieces())
    assert response.status_code == 413
    assert "at most 1 MiB" in response.json()["detail"]
    assert world.files() == []


async def test_a_body_that_stops_coming(http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "PATIENCE", 0.02)
    body = job(abs, 1)

    async def stalls() -> AsyncIterator[bytes]:
        yield body[:60]
        await asyncio.sleep(30)
        yield body[60:]

    response = await http.post("/v1/jobs", content=stalls())
    assert response.status_code == 408
    assert world.files() == []


async def test_a_node_that_keeps_too_much_says_so(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyward_jupyter.agent.jobs.MOST", 1)
    assert MOST > 1
    await http.post("/v1/jobs", content=job(abs, 1))
    response = await http.post("/v1/jobs", content=job(abs, 1))
    assert response.status_code == 507
    assert "fetch or delete" in response.json()["detail"]


async def test_an_answer_that_fails_is_a_sentence(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.jobs, "all", broken)
    response = await http.get("/v1/jobs")
    assert response.status_code == 500
    assert "ZeroDivisionError" in response.json()["detail"]
    assert TOKEN not in caplog.text


async def test_metrics_are_in_the_text_format(http: httpx.AsyncClient) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    await http.post("/v1/jobs", content=job(abs, 1))
    response = await http.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert {
        "skyward_tasks",
        "skyward_tasks_ended",
        "skyward_slots",
        "skyward_slots_busy",
        "skyward_cpu_percent",
    } <= set(families)
    queued = {sample.labels["state"]: sample.value for sample in families["skyward_tasks"].samples}
    assert queued == {"running": 0, "queued": 1}


async def test_every_route_is_described_and_nothing_else(http: httpx.AsyncClient, world: World) -> None:
    described = (await http.get("/openapi.json")).json()
    assert described == description(envelope.LIMIT, http_routes.WAIT_LIMIT)
    served = {
        (route.path, method.lower())
        for route in world.app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    told = {(path, method) for path, item in described["paths"].items() for method in item if method != "parameters"}
    assert served == told


async def test_references_in_the_description_are_there() -> None:
    text = str(description(1, 1))
    schemas = description(1, 1)["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == set(schemas)


async def test_gpus_are_measured_where_there_are_any(http: httpx.AsyncClient, world: World, tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    assert "gpu" not in (await http.get("/metrics")).text
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho '1, GPU-8c1e77a0, NVIDIA H100 80GB HBM3, 81559, 70312, 98, 63, [N/A]'\n")
    command.chmod(0o755)
    world.agent.gpus = GpuMeter([1], str(tmp_path))
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    found = {it.name: (it.labels, it.value) for family in families for it in family.samples if "gpu" in it.name}
    assert found == {
        "skyward_gpu_busy_percent": ({"gpu": "1"}, 98),
        "skyward_gpu_memory_used_bytes": ({"gpu": "1"}, 70312 * 2**20),
        "skyward_gpu_memory_bytes": ({"gpu": "1"}, 81559 * 2**20),
        "skyward_gpu_temperature_celsius": ({"gpu": "1"}, 63),
    }


async def test_a_blob_comes_before_its_job(http: httpx.AsyncClient, world: World) -> None:
    content = b"large" * 1000
    name = digest(content)
    other = "0" * 32
    asked = await http.post("/v1/jobs/one/blobs", json={"blobs": [name, other]})
    assert asked.json() == {"missing": [name, other]}
    assert (await http.put(f"/v1/jobs/one/blobs/{name}", content=content)).status_code == 204
    assert (await http.post("/v1/jobs/two/blobs", json={"blobs": [name, other]})).json() == {"missing": [other]}
    assert world.agent.store.path(name).read_bytes() == content
    assert len(world.files()) == 1


@pytest.mark.parametrize("name", ["0" * 32, "../../etc/passwd", "x", "A" * 32])
async def test_a_blob_that_is_not_what_its_name_says(http: httpx.AsyncClient, world: World, name: str) -> None:
    response = await http.put(f"/v1/jobs/one/blobs/{name}", content=b"something")
    assert response.status_code in (400, 404)
    assert not world.files()


async def test_a_blob_that_is_cut_short(http: httpx.AsyncClient, world: World) -> None:
    name = digest(b"something")
    for size in ("20", "0", "x"):
        response = await http.put(f"/v1/jobs/one/blobs/{name}", content=b"something", headers={"Content-Length": size})
        assert response.status_code == 400
    assert not world.files()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"blobs": 3}', b'{"blobs": [3]}', b'{"blobs": ["../x"]}'])
async def test_names_of_blobs_that_are_none(http: httpx.AsyncClient, body: bytes) -> None:
    response = await http.post("/v1/jobs/one/blobs", content=body)
    assert response.status_code == 400
    assert "32 hex digits" in response.json()["detail"]


@pytest.mark.parametrize("tasks", ["-1", "x", "1.5", "9" * 30])
async def test_a_number_of_tasks_that_is_none(http: httpx.AsyncClient, tasks: str) -> None:
    response = await http.post("/v1/jobs", content=job(abs, 1), params={"tasks": tasks})
    assert response.status_code == 400
    assert "tasks=" in response.json()["detail"]
