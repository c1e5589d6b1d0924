"""A scripted AMI peer: a server on a loopback port that answers as a test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

Action = dict[str, list[str]]


class Connection:
    """One client's connection, as the peer sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *lines: str) -> None:
        """One frame."""
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def reply(self, action: Action, *lines: str) -> None:
        self.send(lines[0], f"ActionID: {action['ActionID'][0]}", *lines[1:])

    def cut(self) -> None:
        self.writer.transport.abort()


Answer = Callable[[Connection, Action], Awaitable[None] | None]


async def accept_login(connection: Connection, action: Action) -> None:
    connection.reply(action, "Response: Success", "Message: Authentication accepted")


async def silence(connection: Connection, action: Action) -> None:
    """Never answers."""


async def pong(connection: Connection, action: Action) -> None:
    connection.reply(action, "Response: Success", "Ping: Pong", "Timestamp: 1795489263.178801")


async def goodbye(connection: Connection, action: Action) -> None:
    connection.reply(action, "Response: Goodbye", "Message: Thanks for all the fish.")
    connection.writer.close()


class ScriptedPeer:
    """`answers`: by action name, what to do; unnamed actions stay unanswered. `actions`: all received."""

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers: dict[str, Answer] = {"Login": accept_login, "Ping": pong, "Logoff": goodbye, **(answers or {})}
        self.actions: list[Action] = []
        self.connections: list[Connection] = []
        self.greeting = b"Asterisk Call Manager/11.0.0\r\n"
        self.refuse = False
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "ScriptedPeer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self.connections:
            connection.cut()

    @property
    def url(self) -> str:
        return f"ami://gateway:s3cr%40t@127.0.0.1:{self.port}"

    @property
    def connection(self) -> Connection:
        return self.connections[-1]

    def count(self, name: str) -> int:
        return sum(action["Action"] == [name] for action in self.actions)

    async def until(self, condition: Callable[[], bool], timeout: float = 5.0) -> None:
        """Waits for something that the arrival of actions, connections or ends brings about."""
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(condition)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        await self._tell()
        try:
            if self.refuse:
                connection.cut()
                return
            writer.write(self.greeting)
            while True:
                action = _parse(await reader.readuntil(b"\r\n\r\n"))
                self.actions.append(action)
                answer = self.answers.get(action["Action"][0], silence)(connection, action)
                if answer is not None:
                    await answer
                await self._tell()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            await self._tell()


def _parse(frame: bytes) -> Action:
    action: Action = {}
    for line in frame.decode().split("\r\n"):
        if line:
            name, _, value = line.partition(": ")
            action.setdefault(name, []).append(value)
    return action
