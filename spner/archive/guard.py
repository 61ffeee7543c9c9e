"""What stands before the application: who may ask, how much may be sent, and headers that every answer has."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_UPLOADS = 16  # at the same time
IDLE_S = 30.0  # between two parts of a body
LOCAL = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class _Refused(Exception):
    """Ends the reading of a body."""


class Guard:
    """Refuses what an application should not see.

    A page of another site cannot send recordings here or read answers, not under another name of this machine either:
    the Host of every request must be known, and the Origin of what is posted the same.
    """

    def __init__(self, app: App, *, hosts: frozenset[str] | None, max_bytes: int) -> None:
        """
        Args:
            app: the application.
            hosts: names under which it may be asked; None allows any.
            max_bytes: of a body.
        """
        self._app, self._hosts, self._max_bytes = app, hosts, max_bytes
        self._num_uploads = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._judge(scope["method"], headers)
        if refusal:
            await _answer(send, *refusal)
        elif scope["method"] == "POST":
            await self._take(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _judge(self, method: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return status and reason of a refusal."""
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return 421, "this server has another name"
        if method != "POST":
            return None
        origin = headers.get("origin")
        if (origin is not None and urlsplit_netloc(origin) != host) or headers.get("sec-fetch-site") == "cross-site":
            return 403, "pages of other sites may not send anything"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            return 413, f"at most {self._max_bytes // 2**20} MB"
        if self._num_uploads >= MAX_UPLOADS:
            return 429, f"at most {MAX_UPLOADS} uploads at the same time; try again"
        return None

    async def _take(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a body through while it is neither too long nor too slow."""
        refusal: tuple[int, str] | None = None
        num_bytes = 0
        began = complete = False

        async def limited() -> Message:
            nonlocal num_bytes, refusal, complete
            if complete:
                return await receive()  # waits for the end of the connection
            try:
                message = await asyncio.wait_for(receive(), IDLE_S)
            except TimeoutError:
                refusal = 408, "nothing came for a while"
                raise _Refused from None
            num_bytes += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if num_bytes > self._max_bytes:
                refusal = 413, f"at most {self._max_bytes // 2**20} MB"
                raise _Refused
            return message

        async def watched(message: Message) -> None:
            nonlocal began
            if refusal is None:
                began = True
                await send(message)

        self._num_uploads += 1
        try:
            await self._app(scope, limited, watched)
        except _Refused:
            pass
        finally:
            self._num_uploads -= 1
        if refusal and not began:
            await _answer(send, *refusal)


def _name(host: str) -> str:
    """Return a host without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def urlsplit_netloc(origin: str) -> str:
    """Return host and port of an origin; empty for one that cannot be read, such as ``null``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return with_headers


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps(error_record(status, reason)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"connection", b"close"))  # the rest of the body is not read
    with_headers = _with_headers(send)
    await with_headers({"type": "http.response.start", "status": status, "headers": headers})
    await with_headers({"type": "http.response.body", "body": body})


def error_record(status: int, reason: str, param: str | None = None) -> dict[str, object]:
    """Return an error in the shape that OpenAI's clients read; ``param`` is the field that is wrong."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": reason, "type": kind, "param": param, "code": None}}
