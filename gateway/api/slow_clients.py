"""Clients that take too long are cut, so that holding a connection costs them more than us.

The head of a request, and what is left of one that was answered already, is the protocol's affair: no application
is asked before a head is whole. A body is the application's: it can still say what was wrong. An answer that
nobody takes is dropped once nothing of it has moved for a while, and the largest of all at once when they fill the
memory together.
"""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar
from uuid import uuid4

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.api.problems import Problem

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
UNREAD_SECONDS = 60.0
MOST_UNREAD_BYTES = 256 << 20
"""Of all answers in this process that wait for their clients."""


class BodyInTime:
    """The whole body within `BODY_SECONDS` of being asked for. Raises: Problem 408."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        deadline: float | None = None
        whole = False

        async def receive_in_time() -> Message:
            nonlocal deadline, whole
            if whole:
                return await receive()
            deadline = deadline or asyncio.get_running_loop().time() + BODY_SECONDS
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    408,
                    "body_too_slow",
                    f"The body did not arrive within {BODY_SECONDS:g} seconds.",
                    headers={"Connection": "close"},
                ) from None
            whole = not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time if scope["type"] == "http" else receive, send)


class PunctualProtocol(H11Protocol):
    """uvicorn's protocol, with an eye on the clock; what is no HTTP is told in the form of every other error."""

    _unread_answers: ClassVar[dict["PunctualProtocol", None]] = {}
    _head_due: asyncio.TimerHandle | None = None
    _answer_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_due = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._head_is_here()
        elif self._head_due is None and not self.transport.is_closing():
            self._head_due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        self._answer_moves()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_due = self.loop.call_later(UNREAD_SECONDS, self._unread, self._unread_bytes)
        self._unread_answers[self] = None
        while sum(one._unread_bytes for one in self._unread_answers) > MOST_UNREAD_BYTES:
            largest = max(self._unread_answers, key=lambda one: one._unread_bytes)
            del self._unread_answers[largest]
            largest.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer_moves()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        request_id = uuid4().hex
        body = {
            "type": "urn:gateway:problem:malformed_request",
            "title": HTTPStatus.BAD_REQUEST.phrase,
            "status": 400,
            "detail": "This is no HTTP request, or its head is too long.",
            "code": "malformed_request",
            "request_id": request_id,
        }
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        try:
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=json.dumps(body).encode()),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # An answer has begun already.
        self.transport.close()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _head_is_here(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    @property
    def _unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def _answer_moves(self) -> None:
        self._unread_answers.pop(self, None)
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None

    def _unread(self, size: int) -> None:
        """Nothing but a slow line, as long as less is waiting than before."""
        left = self._unread_bytes
        if left >= size:
            self.transport.abort()
        else:
            self._answer_due = self.loop.call_later(UNREAD_SECONDS, self._unread, left)
