"""The door of the API."""

import asyncio
import socket

import pytest

from gateway.serve import listening_socket


async def test_an_answer_does_not_wait_for_acknowledgements() -> None:
    """As asyncio serves it: Nagle's algorithm would hold back the last of each answer."""
    accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket"))

    with listening_socket("127.0.0.1", 0) as door:
        async with await asyncio.start_server(connected, sock=door):
            _, writer = await asyncio.open_connection(*door.getsockname())
            try:
                assert (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            finally:
                writer.close()


def test_an_address_of_somebody_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="GATEWAY_LISTEN: cannot listen"):
        listening_socket(*other.getsockname())
