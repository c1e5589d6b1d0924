"""Between a gateway and Asterisk's manager interface: withholds the actions, or the answers, one names."""

import asyncio
import contextlib
import re
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

END = b"\r\n\r\n"
_ACTION_ID = re.compile(rb"^ActionID: *(.+?)\r?$", re.MULTILINE | re.IGNORECASE)


class AmiHold:
    """`async with AmiHold(url) as hold: hold.url`. Frames that hold a text of `actions` wait in `held`.

    `answers`: the same for the answers to such actions. What is held outlives the gateway that said it,
    as a segment on its way does.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._ids: dict[bytes, str] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self.actions: set[str] = set()
        self.answers: set[str] = set()
        self.held: dict[str, tuple[asyncio.StreamWriter, bytes]] = {}

    @property
    def url(self) -> str:
        credentials = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{credentials}@127.0.0.1:{self._port}"))

    async def __aenter__(self) -> "AmiHold":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def until_held(self, *texts: str) -> None:
        async with asyncio.timeout(30):
            while not self.held.keys() >= set(texts):
                await asyncio.sleep(0.01)

    async def deliver(self, text: str) -> None:
        """What was held goes its way."""
        writer, frame = self.held.pop(text)
        self.actions.discard(text)
        self.answers.discard(text)
        writer.write(frame)
        await writer.drain()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_asterisk, to_asterisk = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers += [writer, to_asterisk]
        back = asyncio.create_task(self._copy(from_asterisk, writer, self._holds_answer))
        with contextlib.suppress(asyncio.CancelledError):
            await self._copy(reader, to_asterisk, self._holds_action)
            # The gateway is gone; what it had sent may still be on its way.
            while any(held is to_asterisk for held, _ in self.held.values()):
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
        back.cancel()
        for end in (writer, to_asterisk):
            end.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holds) -> None:  # type: ignore[no-untyped-def]
        rest = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if rest == b"" and data.startswith(b"Asterisk Call Manager"):
                    greeting, mark, data = data.partition(b"\r\n")
                    writer.write(greeting + mark)
                *frames, rest = (rest + data).split(END)
                for frame in frames:
                    if (text := holds(frame)) is None:
                        writer.write(frame + END)
                    else:
                        self.held[text] = (writer, frame + END)

    def _holds_action(self, frame: bytes) -> str | None:
        for text in self.answers:
            if text.encode() in frame and (match := _ACTION_ID.search(frame)):
                self._ids[match[1]] = text
        return next((text for text in self.actions if text.encode() in frame), None)

    def _holds_answer(self, frame: bytes) -> str | None:
        match = _ACTION_ID.search(frame) if frame.startswith(b"Response:") else None
        return self._ids.pop(match[1], None) if match else None
