"""The network between gateway and Asterisk's manager interface, on loopback, where one can break it."""

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass

PIECE = 65536
TRICKLE_SECONDS = 0.001


@dataclass(slots=True)
class Session:
    """One connection. Epoch seconds; `surveyed`: since when its listener hears all; `silent`: since when nothing came
    through (0: it does); `placing`: it sent an Originate whose answer is withheld."""

    opened: float
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    listens: bool = True
    placing: bool = False
    surveyed: float = 0.0
    silent: float = 0.0
    closed: float = 0.0
    refused: bool = False
    disturb: bytes = b""


class AmiProxy:
    """Listens on `port`, forwards to `target`. `stalled` withholds everything, `trickling` all but a byte at a time.

    `hold_originate`: an Originate is withheld from Asterisk; `hold_answers_to_it`: from one on, what Asterisk says
    to the session that sent it is withheld. `originates`: how many passed, or were withheld.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self.sessions: list[Session] = []
        self.stalled = False
        self.trickling = False
        self.hold_originate = False
        self.hold_answers_to_it = False
        self.originates = 0
        self._go = asyncio.Event()
        self._go.set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        self.release()
        self.cut()

    def stall(self) -> None:
        self.stalled = True
        self._go.clear()
        for session in self._open():
            session.silent = session.silent or time.time()

    def release(self) -> None:
        """Everything flows again."""
        self.stalled = self.trickling = self.hold_originate = self.hold_answers_to_it = False
        for session in self._open():
            session.silent, session.placing = 0.0, False
        self._go.set()

    def cut(self) -> None:
        """Reset each connection."""
        for session in self._open():
            self._end(session)

    def garble(self, *, whole: bool) -> None:
        """Say what is no AMI to each gateway: as a frame of its own, or (not `whole`) as the last that is heard."""
        for session in self._open():
            noise = secrets.token_bytes(secrets.randbelow(3000) + 10).replace(b"\r", b"").replace(b"\n", b" ")
            session.disturb = (b"Event: CEL\r\n" if secrets.randbelow(2) else b"") + noise + b"\r\n\r\n"
            session.refused = not whole

    def _open(self) -> list[Session]:
        return [session for session in self.sessions if not session.closed]

    def _end(self, session: Session) -> None:
        if not session.closed:
            session.closed = time.time()
        for writer in (session.client, session.server):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._go.wait()
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        session = Session(time.time(), writer, to_server)
        self.sessions.append(session)
        tasks = [
            asyncio.create_task(self._to_asterisk(session, reader, to_server)),
            asyncio.create_task(self._to_gateway(session, from_server, writer)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._end(session)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _to_asterisk(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                if b"Events: off" in data:
                    session.listens = False
                placing = b"Action: Originate" in data
                if placing:
                    self.originates += 1
                    session.placing = self.hold_answers_to_it
                while self.stalled or (placing and self.hold_originate):
                    await asyncio.sleep(0.01)
                writer.write(data)
                await writer.drain()

    async def _to_gateway(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest, read_at = b"", time.time()
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                # Of what Asterisk has said since it was last listened to, nothing has come through yet.
                since, read_at = read_at, time.time()
                while self.stalled or (self.hold_answers_to_it and session.placing):
                    await asyncio.sleep(0.01)
                # Whole frames, so that what is put between them is between them.
                whole, mark, rest = (rest + data).rpartition(b"\r\n\r\n")
                if session.disturb and mark:
                    whole, session.disturb = session.disturb[:-4] + mark + whole, b""
                    if session.refused:
                        writer.write(whole[: len(whole) // 2])
                        return
                # The greeting is a line, no frame.
                await self._write(session, writer, whole + mark if mark else b"", since)
                if not session.surveyed and session.listens and b"CoreShowChannelsComplete" in whole:
                    session.surveyed = time.time()
                if rest.startswith(b"Asterisk Call Manager") and not mark:
                    await self._write(session, writer, rest, since)
                    rest = b""
                if not self.stalled:
                    session.silent = 0.0

    async def _write(self, session: Session, writer: asyncio.StreamWriter, data: bytes, since: float) -> None:
        place = 0
        while place < len(data) and self.trickling:
            session.silent = session.silent or since
            writer.write(data[place : place + 1])
            place += 1
            await asyncio.sleep(TRICKLE_SECONDS)
        if place < len(data):
            writer.write(data[place:])
        await writer.drain()
