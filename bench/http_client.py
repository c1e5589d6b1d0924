"""The least that can ask over HTTP/1.1: an open connection, one request after the other."""

import asyncio
import socket
import time

MOST_BYTES = 1 << 26
"""Of an answer."""

IDLE_SECONDS = 2.0
"""A connection that was not used for longer may be closed by now, and is opened anew."""


class Client:
    """Blocks: nothing but the answer is waited for, and no event loop's own time is in the figures."""

    def __init__(self, port: int, key: str = "") -> None:
        self.key = key
        self._port = port
        self._buffer = bytearray(MOST_BYTES)
        self._used_at: float
        self._open()

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and the body."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self.close()
            self._open()
        self._socket.sendall(request(path, self.key))
        received = self._more(0)
        while (end := self._buffer.find(b"\r\n\r\n", 0, received)) < 0:
            received += self._more(received)
        status, length = head_of(bytes(self._buffer[:end]))
        body = end + 4
        while received < body + length:
            received += self._more(received)
        self._used_at = time.monotonic()
        return status, bytes(self._buffer[body:received])

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used_at = time.monotonic()

    def _more(self, received: int) -> int:
        count = self._socket.recv_into(memoryview(self._buffer)[received:])
        if not count:
            raise ConnectionError("the connection was closed before the answer was whole")
        return count

    def close(self) -> None:
        self._socket.close()


def request(path: str, key: str) -> bytes:
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n".encode()


def head_of(head: bytes) -> tuple[int, int]:
    """The status, and the length of the body."""
    first, *fields = head.decode().lower().strip().split("\r\n")
    named = dict(field.split(": ", 1) for field in fields)
    return int(first.split()[1]), int(named["content-length"])


async def requests_per_second(port: int, path: str, key: str, seconds: float, connections: int) -> float:
    """Of so many clients that each ask again as soon as they are answered. Raises: RuntimeError, not all were 200."""
    ends = time.perf_counter() + seconds
    began = time.perf_counter()
    counts = await asyncio.gather(*(_ask_until(port, path, key, ends) for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - began)


async def _ask_until(port: int, path: str, key: str, ends: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    asked, count = request(path, key), 0
    while time.perf_counter() < ends:
        writer.write(asked)
        status, length = head_of(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(length)
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}")
        count += 1
    writer.close()
    return count
