"""A CRM's end of a webhook: receives on loopback, and checks each signature with the standardwebhooks library."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass
class WebhookReceiver:
    """`secret` must be set before anything arrives. `arrived`: bodies whose signature was right, in order.

    `on_arrival` is called with each of them.
    """

    secret: str = ""
    port: int = 0
    arrived: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    on_arrival: Callable[[dict[str, Any]], None] = lambda _: None
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait_for(self, event: str, call_id: str, seconds: float = 15) -> None:
        """Until this event of this call has arrived."""
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(lambda: event in self.types_of(call_id))

    def types_of(self, call_id: str) -> list[str]:
        return [body["type"] for body in self.arrived if body["data"]["id"] == call_id]

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            pairs = (line.partition(": ") for line in head.split("\r\n")[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            text = (await reader.readexactly(int(headers["content-length"]))).decode()
            try:
                Webhook(self.secret).verify(text, headers)
            except WebhookVerificationError:
                self.refused += 1
                writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            body = json.loads(text)
            async with self.news:
                self.arrived.append(body)
                self.news.notify_all()
            self.on_arrival(body)
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    on_arrival: Callable[[dict[str, Any]], None] = lambda _: None,
) -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver(on_arrival=on_arrival)
    server = await asyncio.start_server(receiver._receive, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
