"""The description of a node's HTTP API, after OpenAPI 3.1."""

from __future__ import annotations

import sys
from typing import Any

VERSION = "1"

_ABOUT = """\
Jobs for one node of a pool: call a Python function there, follow what it writes, fetch what it returns.

Every path but `/health` wants the pool's token: `Authorization: Bearer TOKEN`. A refusal is `application/problem+json`
whose `detail` says what to do. Every answer names the node's process in `Skyward-Instance`; a request with that header
is refused with 412 once another process has taken the node's place.

A job is a Python call, pickled by cloudpickle, behind a header of 48 bytes:

    import hashlib, struct, sys, cloudpickle
    pickled = cloudpickle.dumps((function, args, kwargs))
    digest = hashlib.sha256(pickled).digest()
    header = struct.pack("<4sBBBxQ32s", b"SKYJ", 1, *sys.version_info[:2], len(pickled), digest)
    body = header + pickled

`skyward_jupyter.wire.envelope.job(function, *args, **kwargs)` makes the same. Whoever has the token can run any code
as the user of the pool: keep it to yourself.
"""

_BODY = """\
The header and the pickle, at most {limit} MiB. This node runs Python {python} and takes jobs made by Python {python}
only. Header and digest are checked before anything is unpickled, which happens in a process of its own.
"""

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_COUNT: dict[str, Any] = {"type": "integer"}
_STATES = ["queued", "running", "done", "failed", "cancelled"]


def description(body_limit: int, wait_limit: float) -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Skyward node", "version": VERSION, "description": _ABOUT},
        "security": [{"token": []}],
        "paths": {**_node_paths(), **_job_paths(body_limit, wait_limit)},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Job": _job(), "Problem": _problem(), "Failure": _failure()},
        },
    }


def _node_paths() -> dict[str, Any]:
    return {
        "/health": {
            "get": {**_operation("health", "Whether the node answers", {200: _text("ok")}), "security": []},
        },
        "/metrics": {
            "get": _operation("metrics", "What the node measures", {200: _text("The text format of Prometheus")}),
        },
        "/openapi.json": {
            "get": _operation("openapi", "This description", {200: _json("OpenAPI 3.1", {"type": "object"})}),
        },
    }


def _job_paths(body_limit: int, wait_limit: float) -> dict[str, Any]:
    one = [{"name": "id", "in": "path", "required": True, "schema": _TEXT}]
    missing = {404: _refused("There never was such a job"), 410: _refused("It was deleted, or has expired")}
    everything = {"type": "object", "properties": {"jobs": {"type": "array", "items": _ref("Job")}}}
    return {
        "/v1/jobs": {
            "post": _submit(body_limit),
            "get": _operation("listJobs", "The jobs this node keeps", {200: _json("Oldest first", everything)}),
        },
        "/v1/jobs/{id}": {
            "parameters": one,
            "get": _operation("showJob", "A job", {200: _json("The job", _ref("Job")), **missing}),
            "delete": _operation("deleteJob", "Cancel a job and forget it", {204: {"description": "Gone"}, **missing}),
        },
        **_blob_paths(one),
        "/v1/jobs/{id}/cancel": {
            "parameters": one,
            "post": _operation(
                "cancelJob",
                "Interrupt a job; one that ignores it loses its process after 5 seconds",
                {
                    202: _json("It is being stopped", _ref("Job")),
                    200: _json("It had ended", _ref("Job")),
                    **missing,
                },
            ),
        },
        "/v1/jobs/{id}/result": {"parameters": one, "get": {**_result(wait_limit), "parameters": [_wait(wait_limit)]}},
        "/v1/jobs/{id}/events": {"parameters": one, "get": _events()},
    }


def _blob_paths(one: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"type": "array", "items": _TEXT}
    asked = {"type": "object", "properties": {"blobs": names}}
    told = {"type": "object", "properties": {"missing": names}}
    wrong = {400: _refused("A name, or the content, is wrong")}
    content = {"application/octet-stream": {"schema": {"contentMediaType": "application/octet-stream"}}}
    return {
        "/v1/jobs/{id}/blobs": {
            "parameters": one,
            "post": {
                **_operation(
                    "expectBlobs",
                    "Keep large parts for a job that is to come, and say which to send",
                    {200: _json("Those that are not here", told), **wrong},
                ),
                "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
            },
        },
        "/v1/jobs/{id}/blobs/{name}": {
            "parameters": [*one, {"name": "name", "in": "path", "required": True, "schema": _TEXT}],
            "put": {
                **_operation(
                    "sendBlob",
                    "Send a large part; it is named by the XXH3 (128 bits) of its content",
                    {204: {"description": "It is here"}, **wrong, 507: _refused("There is no room for it")},
                ),
                "requestBody": {"required": True, "content": content},
            },
        },
    }


def _submit(body_limit: int) -> dict[str, Any]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    body = _BODY.format(limit=body_limit // 2**20, python=python)
    key = "The job's id, chosen by you. Sent twice, a job runs once."
    operation = _operation(
        "submitJob",
        "Run a job",
        {
            201: _json("It is queued", _ref("Job")),
            200: _json("It was sent before", _ref("Job")),
            400: _refused("The body is no job, was cut short or was changed"),
            408: _refused("The body stopped coming"),
            409: _refused("The id belongs to another job"),
            410: _refused("The id belongs to a job whose result is gone"),
            413: _refused("The body is too large"),
            422: _refused("Another version of Python made it"),
            507: _refused("The node keeps too much that nobody has fetched"),
        },
    )
    operation["parameters"] = [
        {"name": "Idempotency-Key", "in": "header", "description": key, "schema": _TEXT},
        {"name": "timeout", "in": "query", "description": "Seconds it may run; 0 for no limit", "schema": _NUMBER},
        {
            "name": "output",
            "in": "query",
            "description": "Which of what it writes is kept",
            "schema": {"enum": ["all", "stdout", "stderr", "none"]},
        },
        {
            "name": "tasks",
            "in": "query",
            "description": "How many jobs of `executor` one process runs before another takes its place; 0 for any",
            "schema": _COUNT,
        },
        {"name": "executor", "in": "query", "description": "Whose jobs `tasks` counts", "schema": _TEXT},
    ]
    content = {"application/octet-stream": {"schema": {"contentMediaType": "application/octet-stream"}}}
    operation["requestBody"] = {"required": True, "description": body, "content": content}
    return operation


def _result(wait_limit: float) -> dict[str, Any]:
    pickled = {"application/octet-stream": {"schema": {"contentMediaType": "application/octet-stream"}}}
    failed = "It failed or was cancelled; `error` says how, `failure` has it for Python in base64"
    return _operation(
        "jobResult",
        "What a job returned. Kept for an hour, or for 5 minutes once it was fetched",
        {
            200: {"description": "A pickle of what it returned", "content": pickled},
            202: _json("It has not ended", _ref("Job")),
            409: _json(failed, _ref("Failure"), "application/problem+json"),
            404: _refused("There never was such a job"),
            410: _refused("It was deleted, or has expired"),
        },
    )


def _wait(wait_limit: float) -> dict[str, Any]:
    what = f"Seconds to wait for its end, at most {wait_limit:g}"
    return {"name": "wait", "in": "query", "description": what, "schema": _NUMBER}


def _events() -> dict[str, Any]:
    what = """\
Server-sent events, until the job has ended: `state` (`{"state", "time", "seconds"}`), `output` (`{"stream", "text"}`),
`display` (`{"data", "metadata", "update"}`, as Jupyter has them), `clear` (`{"wait"}`), and `dropped` (`{"bytes"}`: so
much of the job's output went because there was too much of it).
"""
    operation = _operation(
        "jobEvents",
        "Follow a job",
        {
            200: {"description": what, "content": {"text/event-stream": {"schema": _TEXT}}},
            204: {"description": "It has ended and there is nothing more"},
            404: _refused("There never was such a job"),
            410: _refused("It was deleted, or has expired"),
        },
    )
    resume = "The id of the last event seen, to go on after it"
    operation["parameters"] = [
        {"name": "Last-Event-ID", "in": "header", "description": resume, "schema": _COUNT},
        {"name": "after", "in": "query", "description": resume, "schema": _COUNT},
    ]
    return operation


def _job() -> dict[str, Any]:
    maybe = {"type": ["number", "null"]}
    return {
        "type": "object",
        "properties": {
            "id": _TEXT,
            "node": {**_COUNT, "description": "Rank of the node"},
            "state": {"enum": _STATES},
            "submitted": {**_NUMBER, "description": "Seconds since 1970"},
            "started": maybe,
            "ended": maybe,
            "expires": {**maybe, "description": "When its result goes, once it has ended"},
            "seconds": {**maybe, "description": "How long it ran"},
            "result_bytes": {"type": ["integer", "null"]},
            "events": {**_COUNT, "description": "Number of its last event"},
            "dropped_bytes": {**_COUNT, "description": "Output that went because there was too much of it"},
            "error": {"oneOf": [_error(), {"type": "null"}]},
        },
    }


def _error() -> dict[str, Any]:
    hows = ["raised", "result", "died", "timeout", "interrupted", "killed", "input"]
    how = "Whether it raised, returned what cannot be pickled, died, ..."
    return {
        "type": "object",
        "properties": {
            "how": {"enum": hows, "description": how},
            "type": _TEXT,
            "text": _TEXT,
            "traceback": _TEXT,
        },
    }


def _problem() -> dict[str, Any]:
    return {"type": "object", "properties": {"title": _TEXT, "status": _COUNT, "detail": _TEXT}}


def _failure() -> dict[str, Any]:
    more = {"state": {"enum": _STATES}, "node": _COUNT, "error": _error(), "failure": _TEXT}
    return {"type": "object", "properties": {**_problem()["properties"], **more}}


def _operation(name: str, what: str, responses: dict[int, Any]) -> dict[str, Any]:
    answers = {str(status): response for status, response in responses.items()}
    if name != "health":
        answers["401"] = _refused("The token is missing or wrong")
    return {"operationId": name, "summary": what, "responses": answers}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(what: str, schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"description": what, "content": {media: {"schema": schema}}}


def _text(what: str) -> dict[str, Any]:
    return {"description": what, "content": {"text/plain": {"schema": _TEXT}}}


def _refused(what: str) -> dict[str, Any]:
    return _json(what, _ref("Problem"), "application/problem+json")
