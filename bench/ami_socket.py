"""From AMI's socket to the commit: listener, spool and ingest in one process, fed at a steady pace by another.

The source speaks just enough of AMI to be listened to, and sends the events of so many calls a second, fifteen
a call, in bursts as the phone rings, as it is answered and as they hang up a second later, stamped as they leave.
What is sustained is committed as fast as it comes: then the last commit follows the last event at once, and
`ami_behind_ms` says how soon.
"""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from bench.fold import RINGING, TALKING, ami_headers, open_call
from gateway.asterisk.listener import Listener
from gateway.asterisk.spool import SpoolSource
from gateway.calls.rows import CelRow
from gateway.ingest.ingest import Ingest
from gateway.store.pool import open_pool
from tests.lab.asterisk import free_port
from tests.lab.recordings import NODE

EVENTS_A_CALL = 15
ANSWERED_SECONDS, OVER_SECONDS = 0.3, 1.0
TICK_SECONDS = 0.005
READY_SECONDS = 60.0
STAMP = "@stamp@"


async def measure(url: str, work: Path, calls_a_second: int, seconds: float) -> dict[str, float]:
    """`url`: of a database with the directories of the recordings."""
    calls, port = round(calls_a_second * seconds), free_port()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(port, calls, calls_a_second, theirs), daemon=True
    )
    process.start()
    pool = await open_pool(url)
    source = SpoolSource(work / "spool")
    listener = Listener(f"ami://bench:bench@127.0.0.1:{port}", work / "spool", source)
    ingest = Ingest(pool, NODE, source, lambda: listener.hears)
    await listener.start()
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not (listener.hears and ingest.progress.caught_up):
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        wanted = ingest.progress.rows + calls * EVENTS_A_CALL
        cpu, began = time.process_time(), time.time()
        ours.send("go")
        async with asyncio.timeout(seconds * 10 + READY_SECONDS):
            while ingest.progress.rows < wanted:
                await asyncio.sleep(0.01)
        done, cpu = time.time(), time.process_time() - cpu
        sent = await asyncio.to_thread(ours.recv)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await listener.close()
        pool.terminate()
        process.kill()
        process.join()
    return {
        "ami_events": calls * EVENTS_A_CALL,
        "ami_events_fed_per_second": round(calls * EVENTS_A_CALL / (sent - began)),
        "ami_events_committed_per_second": round(calls * EVENTS_A_CALL / (done - began)),
        "ami_behind_ms": round((done - sent) * 1000),
        "ami_cpu_ms_per_call": round(cpu / calls * 1000, 3),
    }


def _after(place: int) -> float:
    """Seconds from a call's first event to this one."""
    burst = 0.0 if place < RINGING else ANSWERED_SECONDS if place < TALKING else OVER_SECONDS
    return burst + place / 1_000


def _serve(port: int, calls: int, calls_a_second: int, pipe: Pipe) -> None:
    asyncio.run(_Source(calls, calls_a_second, pipe).serve(port))


class _Source:
    def __init__(self, calls: int, calls_a_second: int, pipe: Pipe) -> None:
        self._pipe = pipe
        self._events = sorted(
            (number / calls_a_second + _after(place), *_around_stamp(row))
            for number in range(calls)
            for place, row in enumerate(open_call(number))
        )

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._session, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        feeding: Any = None
        while frame := await _next(reader):
            said = dict(line.split(": ", 1) for line in frame.strip().split("\r\n") if ": " in line)
            answer = {"Response": "Success", "ActionID": said["ActionID"], "Timestamp": f"{time.time():.6f}"}
            writer.write(_frame(answer))
            if said["Action"] == "CoreShowChannels":
                complete = {"Event": "CoreShowChannelsComplete", "EventList": "Complete", "ListItems": "0"}
                writer.write(_frame(complete | {"ActionID": said["ActionID"]}))
                feeding = feeding or asyncio.create_task(self._feed(writer))

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.to_thread(self._pipe.recv)
        began, next_one = time.perf_counter(), 0
        while next_one < len(self._events):
            passed, stamp = time.perf_counter() - began, f"{time.time():.6f}".encode()
            while next_one < len(self._events) and self._events[next_one][0] <= passed:
                _, before, after = self._events[next_one]
                writer.write(before + stamp + after)
                next_one += 1
            await writer.drain()
            await asyncio.sleep(TICK_SECONDS)
        self._pipe.send(time.time())


async def _next(reader: asyncio.StreamReader) -> str:
    """What is asked next; empty once nobody is there any more."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, OSError):
        return ""


def _around_stamp(row: CelRow) -> tuple[bytes, bytes]:
    """The row's event, before and after the time at which it leaves."""
    before, after = _frame(ami_headers(row) | {"Timestamp": STAMP}).split(STAMP.encode())
    return before, after


def _frame(headers: dict[str, str]) -> bytes:
    return ("".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()
