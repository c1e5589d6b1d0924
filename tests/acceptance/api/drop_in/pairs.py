"""Golden pairs: what a client of the hosted product sends, and what it gets, byte for byte, in one file each.

Above the line `---` the request as it goes over the wire (host and token are the test's), below it the status and
the body of the answer.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Pair:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: Any

    async def ask(self, client: httpx.AsyncClient, token: str) -> httpx.Response:
        headers = self.headers | ({"token": token} if "token" not in self.headers else {})
        return await client.request(self.method, self.target, headers=headers, content=self.body)


def names(what: str) -> list[str]:
    return sorted(path.stem for path in (GOLDEN / what).glob("*.http"))


def read(what: str, name: str) -> Pair:
    request, answer = (GOLDEN / what / f"{name}.http").read_text("utf-8").split("\n---\n")
    head, _, body = request.partition("\n\n")
    first, *lines = head.split("\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if line)
    status, _, document = answer.partition("\n")
    wire = body.replace("\n", "\r\n") if "multipart" in headers.get("Content-Type", "") else body
    return Pair(method, target, headers, wire.encode(), int(status), json.loads(document))
