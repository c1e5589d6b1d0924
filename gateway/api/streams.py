"""Lists that leave as they are read: a few at once, and no client may hold the database by reading slowly."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.problems import unavailable

MOST_AT_ONCE = 4
CLIENT_SECONDS = 60.0
"""In which a client must take a few hundred rows."""


class Exports:
    """How many streams run in this process: each holds a connection of the pool."""

    def __init__(self) -> None:
        self._running = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Raises: Problem 503."""
        if self._running >= MOST_AT_ONCE:
            raise unavailable("too_many_exports", "As many lists leave whole as may at once; ask again.")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


class Lines(Protocol):
    """Rows as text."""

    @property
    def head(self) -> str: ...

    def lines(self, rows: list[str]) -> str: ...

    def foot(self) -> str: ...


class Stream(Response):
    """`first` and then `batches` of rows; whatever happens, `held` is let go.

    If it breaks off, the connection is cut without the end that HTTP wants: no client takes a part for the whole.
    """

    def __init__(
        self,
        write: Lines,
        first: list[str] | None,
        batches: AsyncIterator[list[str]],
        held: AsyncExitStack,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._write, self._first, self._batches, self._held = write, first, batches, held

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            sending = asyncio.create_task(self._send(send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
            finally:
                for task in (sending, leaving):
                    task.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _sent(send, self._write.head + (self._write.lines(self._first) if self._first else ""))
        if self._first:
            async for rows in self._batches:
                await _sent(send, self._write.lines(rows))
        await _sent(send, self._write.foot(), more=False)


async def _sent(send: Send, text: str, *, more: bool = True) -> None:
    async with asyncio.timeout(CLIENT_SECONDS):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
