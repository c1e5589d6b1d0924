"""Lists that leave as they are read: a few at once, to whom is still let in, and no client may hold the
database by reading slowly.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.problems import DATABASE_AWAY, unavailable

MOST_AT_ONCE = 4
MOST_OF_ONE_ACCOUNT = 2
CLIENT_SECONDS = 60.0
"""In which a client must take a few hundred rows."""

LONGEST_SECONDS = 3600.0
"""For so long the transaction keeps Postgres from cleaning up, and `as_of` from going on."""

LET_IN_ASKED_EVERY_SECONDS = 0.25

log = structlog.get_logger()


class Exports:
    """How many streams run in this process: each holds a connection of the pool."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    @contextmanager
    def one_more(self, account: str) -> Iterator[None]:
        """Raises: Problem 503."""
        if self._running.total() >= MOST_AT_ONCE or self._running[account] >= MOST_OF_ONE_ACCOUNT:
            raise unavailable("too_many_exports", "As many lists leave whole as may at once; ask again.")
        self._running[account] += 1
        try:
            yield
        finally:
            self._running -= Counter([account])


class Lines(Protocol):
    """Rows as text."""

    @property
    def head(self) -> str: ...

    def lines(self, rows: list[str]) -> str: ...

    def foot(self) -> str: ...


class Stream(Response):
    """`first` and then `batches` of rows, for as long as `let_in` says that the client is; whatever happens, `held`
    is let go.

    If it breaks off, the connection is cut without the end that HTTP wants: no client takes a part for the whole.
    """

    def __init__(
        self,
        write: Lines,
        first: list[str] | None,
        batches: AsyncIterator[list[str]],
        held: AsyncExitStack,
        let_in: Callable[[], Awaitable[bool]],
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._write, self._first, self._batches, self._held = write, first, batches, held
        self._let_in = let_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            if scope["method"] == "HEAD":
                await self._start(send)
                await _sent(send, "", more=False)
                return
            sending = asyncio.create_task(self._send(send))
            leaving = asyncio.create_task(_left(receive))
            shutting_out = asyncio.create_task(_shut_out(self._let_in))
            tasks = (sending, leaving, shutting_out)
            try:
                done, _waiting = await asyncio.wait(tasks, timeout=LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if sending in done:
                    sending.result()
                elif leaving not in done:
                    log.warning("export.cut", reason="no longer let in" if done else "it took too long")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, send: Send) -> None:
        await self._start(send)
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


async def _shut_out(let_in: Callable[[], Awaitable[bool]]) -> None:
    """Returns once the client's key or address is let in no more. A database that is away tells nothing."""
    while True:
        await asyncio.sleep(LET_IN_ASKED_EVERY_SECONDS)
        try:
            if not await let_in():
                return
        except DATABASE_AWAY:
            continue
