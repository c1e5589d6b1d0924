"""From a call's end to its record in `GET /v1/calls`: a whole gateway, fed at a steady pace.

The rows of each call are appended to a journal as Asterisk would write them, its end a second after its
beginning; a client asks for the newest calls again and again. What the client takes for asking is in the figure.
"""

import asyncio
import json
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, cast

from bench.fold import TALKING, as_line, open_call
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.recordings import NODE

A_SECOND = 50
SECONDS = 20
TALK_SECONDS = 1.0
ASK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Files:
    """All that a gateway which reads a journal needs of a PBX; nobody answers at its AMI."""

    cel_journal: Path
    queue_log: Path
    ami_url: str = "ami://gateway:secret@127.0.0.1:9"


async def measure(work: Path) -> dict[str, float]:
    """`visible_ms`: at the median and at the 95th percentile."""
    files = Files(work / "visible.csv", work / "queue_log")
    files.queue_log.touch()
    ended: dict[str, float] = {}
    with files.cel_journal.open("w", buffering=1) as journal:
        node = {"GATEWAY_NODE": NODE}  # Nobody is there to say it.
        async with Gateway(cast(AsteriskInstance, files), work / "gateway", journal=True, extra=node) as gateway:
            writing = asyncio.create_task(_write(journal, ended))
            seen = await _watch(gateway, A_SECOND * SECONDS)
            await writing
    waited = sorted(at - ended[linked_id] for linked_id, at in seen.items())
    return {
        "visible_calls": len(waited),
        "visible_calls_a_second": A_SECOND,
        "visible_ms": round(statistics.median(waited) * 1000, 1),
        "visible_ms_95": round(waited[len(waited) * 95 // 100] * 1000, 1),
    }


async def _write(journal: TextIO, ended: dict[str, float]) -> None:
    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(A_SECOND * SECONDS):
            await asyncio.sleep(max(0.0, began + number / A_SECOND - time.perf_counter()))
            group.create_task(_call(journal, number, ended))


async def _call(journal: TextIO, number: int, ended: dict[str, float]) -> None:
    at = time.time_ns() // 1000
    rows = open_call(number)
    lines = [as_line(replace(row, at=at + place)).decode() + "\n" for place, row in enumerate(rows)]
    journal.write("".join(lines[:TALKING]))
    await asyncio.sleep(TALK_SECONDS)
    ended[rows[0].linked_id] = time.perf_counter()
    journal.write("".join(lines[TALKING:]))


async def _watch(gateway: Gateway, calls: int) -> dict[str, float]:
    """When each call, by its linked id, was first shown as ended."""
    seen: dict[str, float] = {}
    async with asyncio.timeout(SECONDS * 3 + 30):
        while len(seen) < calls:
            answer = await gateway.api.get("/v1/calls", params={"limit": 100})
            at = time.perf_counter()
            answer.raise_for_status()
            for call in json.loads(answer.text)["data"]:
                seen.setdefault(call["linked_ids"][0], at)
            await asyncio.sleep(ASK_SECONDS)
    return seen
