"""What recording a call costs, beside what Asterisk spends on it, and beside what else there is to record it with.

Real calls over SIP through a real Asterisk, the same kind in each part: as the gateway has Asterisk configured,
and, in turn with it, with Asterisk's own `cel_pgsql` and `cdr_pgsql` writing too; then with all of AMI's events
kept for cacofonisk, which follows calls from them and stores nothing. The journal of all of it is ingested.
Only CPU time is told of: it is what the machine's other work disturbs least.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
from cacofonisk.handlers import EventHandler
from cacofonisk.reporters import BaseReporter

from bench.cpu import cpu_of, cpu_of_postgres
from gateway.asterisk.ami import AmiSession
from gateway.asterisk.journal import JournalSource
from gateway.directory_file import read
from gateway.ingest.ingest import Ingest
from gateway.store import directories
from gateway.store.migrations import migrate
from gateway.store.pool import open_pool
from tests.chaos.agents import Agent, Crowd, Leg
from tests.chaos.pbx import DIRECT, ChaosPbx, did, write_directory

TURNS = 2
CALLS = 200
WARM_UP = 20
A_SECOND = 15
TALK_SECONDS = 0.5
NODE = "pbx1"

TABLES = """
create table cel (
    eventtype text, eventtime timestamp, cid_name text, cid_num text, cid_ani text, cid_rdnis text, cid_dnid text,
    exten text, context text, channame text, appname text, appdata text, amaflags int, accountcode text,
    uniqueid text, linkedid text, userfield text, peer text, userdeftype text, extra text
);
create table cdr (
    calldate timestamp, clid text, src text, dst text, dcontext text, channel text, dstchannel text, lastapp text,
    lastdata text, duration int, billsec int, disposition text, amaflags int, accountcode text, uniqueid text,
    userfield text, linkedid text, sequence int
);
"""
PGSQL = "[global]\nhostname={host}\nport=5432\ndbname=asterisk\nuser=postgres\npassword=none\ntable={table}\n"
MODULES = ("cel_pgsql", "cdr_pgsql")


async def measure(server: Any, work: Path) -> dict[str, float]:
    """CPU milliseconds a call. `server`: an embedded Postgres."""
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(ChaosPbx())
        crowd = Crowd(_answer)
        stack.push_async_callback(crowd.close)
        trunk = await crowd.add("trunk", pbx.trunk_address, pbx.sip_address, by_dialled=True)
        for user in DIRECT:
            await crowd.add(user, pbx.address_of[user], pbx.sip_address)
        await _play(trunk, WARM_UP)

        async def spent(calls: int = CALLS) -> tuple[float, float]:
            """In Asterisk and in Postgres, a call, each once all are over and written."""
            asterisk, postgres = cpu_of(pbx.pid), cpu_of_postgres(server)
            await _play(trunk, calls)
            return (cpu_of(pbx.pid) - asterisk) / calls * 1000, (cpu_of_postgres(server) - postgres) / calls * 1000

        url = await _database_of_asterisk(server, pbx)
        turns: list[tuple[float, float, float]] = []
        for _ in range(TURNS):
            alone, _ = await spent()
            await _modules(pbx, "load", "Loaded")
            turns.append((alone, *await spent()))
            await _modules(pbx, "unload", "Unloaded")
        plain, loaded, inserted = (statistics.mean(column) for column in zip(*turns, strict=True))
        written = await _written(url)
        events: list[Mapping[str, str]] = []
        session = AmiSession(pbx.operator_url, events=True, on_event=events.append)
        await session.start()
        await session.wait_connected(10)
        await _play(trunk, CALLS)
        await session.close()
        gateway, postgres, rows, recorded = await _ingest(server, pbx.cel_journal, work)
    calls = WARM_UP + (2 * TURNS + 1) * CALLS
    if recorded != calls or written["cdr"] < TURNS * CALLS:
        raise RuntimeError(f"{calls} calls were made, {recorded} recorded; Asterisk wrote {written}")
    followed = _cacofonisk(events) / CALLS * 1000
    figures = {
        "real_calls": calls,
        "rows_a_real_call": round(rows / calls, 1),
        "asterisk_ms_a_call": plain,
        "gateway_ms_a_call": gateway,
        "gateway_postgres_ms_a_call": postgres,
        "pgsql_modules_ms_a_call": loaded - plain,
        "pgsql_modules_postgres_ms_a_call": inserted,
        "gateway_to_asterisk": gateway / plain,
        "gateway_and_postgres_to_pgsql_modules_and_postgres": (gateway + postgres) / (loaded - plain + inserted),
        "cacofonisk_ms_a_call": followed,
        "gateway_to_cacofonisk": gateway / followed,
    }
    return {name: round(figure, 3) for name, figure in figures.items()}


async def _answer(leg: Leg) -> None:
    leg.ring()
    leg.accept()


async def _play(trunk: Agent, calls: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(_one(trunk, number))
            await asyncio.sleep(1 / A_SECOND)
    await asyncio.sleep(2)  # What Asterisk and Postgres have still to do for the last of them.


async def _one(trunk: Agent, number: int) -> None:
    caller = f"+6141{number:07}"
    leg = trunk.call(caller, did(DIRECT[number % len(DIRECT)]), caller)
    async with asyncio.timeout(30):
        await leg.decided.wait()
        if leg.final != 200:
            raise RuntimeError(f"a call was answered {leg.final}: {leg.seen}")
        await asyncio.sleep(TALK_SECONDS)
        leg.bye()
        await leg.ended.wait()


async def _database_of_asterisk(server: Any, pbx: ChaosPbx) -> str:
    """One that its modules can write to once they are loaded; its address."""
    admin = await asyncpg.connect(server.get_uri())
    await admin.execute("create database asterisk")
    await admin.close()
    url: str = server.get_uri("asterisk")
    connection = await asyncpg.connect(url)
    await connection.execute(TABLES)
    await connection.close()
    # Asterisk may live in a root of its own: the socket has a second name there.
    info = server.get_postmaster_info()
    os.link(info.socket_path, pbx.directory / "run/.s.PGSQL.5432")
    inside = pbx.inside(pbx.directory / "run")
    for module in MODULES:
        text = PGSQL.format(host=inside, table=module.split("_")[0])
        (pbx.directory / f"etc/{module}.conf").write_text(text)
    return url


async def _modules(pbx: ChaosPbx, what: str, done: str) -> None:
    for module in MODULES:
        said = await pbx.command(f"module {what} {module}.so")
        if done not in said:
            raise RuntimeError(f"{module}: {said.strip()}; {pbx.log[-1000:]}")


async def _written(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    found = {table: await connection.fetchval(f"select count(*) from {table}") for table in ("cel", "cdr")}
    await connection.close()
    return found


async def _ingest(server: Any, journal: Path, work: Path) -> tuple[float, float, int, int]:
    """CPU milliseconds a call in the gateway and in Postgres; how many rows and calls there were."""
    admin = await asyncpg.connect(server.get_uri())
    await admin.execute("create database gateway")
    await admin.close()
    url = server.get_uri("gateway")
    pool = await open_pool(url)
    write_directory(work / "directory.yaml")
    async with pool.acquire() as connection:
        await migrate(connection)
        await directories.apply(connection, read(work / "directory.yaml"))
    ingest = Ingest(pool, NODE, JournalSource(journal, None))
    own, postgres = time.process_time(), cpu_of_postgres(server)
    task = asyncio.create_task(ingest.run())
    while not ingest.progress.caught_up:
        await asyncio.sleep(0.05)
    own, postgres = time.process_time() - own, cpu_of_postgres(server) - postgres
    calls: int = await pool.fetchval("select count(*) from calls where state = 'ended'")
    rows: int = await pool.fetchval("select count(*) from raw_rows")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    pool.terminate()
    return own / calls * 1000, postgres / calls * 1000, rows, calls


def _cacofonisk(events: list[Mapping[str, str]]) -> float:
    """CPU seconds for following these events, already read and decoded."""
    handler = EventHandler(reporter=BaseReporter())
    wanted = handler.event_handlers().keys()
    began = time.process_time()
    for event in events:
        if event["Event"] in wanted:
            handler.on_event(event)
    return time.process_time() - began
