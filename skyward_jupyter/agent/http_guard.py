"""Who gets into a node's HTTP API, and the form in which it refuses: JSON after RFC 9457."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Paths that want no token.
OPEN = ("/health",)


class Guard:
    """Lets in who shows the pool's token, and means this process; the others' bodies are not read.

    Every answer names the process, in ``Skyward-Instance``. A request that names another one is refused: a node that
    took a lost one's place, and its address, knows nothing of what was sent there.
    """

    def __init__(self, app: ASGIApp, token: str, instance: str) -> None:
        self._app = app
        self._token = token.encode()
        self._instance = instance.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's call."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"skyward-instance", self._instance)]
            await send(message)

        await self._answer(scope)(scope, receive, named)

    def _answer(self, scope: Scope) -> ASGIApp:
        if scope["path"] in OPEN:
            return self._app
        if not any(map(self._fits, _header(scope, b"authorization"))):
            text = "show the pool's token: `Authorization: Bearer TOKEN`; in Python it is `pool.token`"
            return problem(HTTPStatus.UNAUTHORIZED, text, {"WWW-Authenticate": "Bearer"})
        if (connection := scope.get("state", {}).get("connection")) is not None:
            connection.proven = True
        if any(meant != self._instance for meant in _header(scope, b"skyward-instance")):
            return problem(HTTPStatus.PRECONDITION_FAILED, "the node you mean is gone; this one took its place")
        return self._app

    def _fits(self, shown: bytes) -> bool:
        scheme, _, token = shown.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token, self._token)


def _header(scope: Scope, name: bytes) -> list[bytes]:
    return [value for given, value in scope["headers"] if given == name]


def problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    content = {"title": status.phrase, "status": status.value, "detail": detail, **more}
    return JSONResponse(content, status, headers, media_type="application/problem+json")
