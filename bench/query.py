"""How long a page of each list takes over HTTP, beside its own SQL, among ten million calls.

    python -m bench.query [CALLS]

A fresh embedded Postgres is filled (`bench.filled`; ten million calls take about 55 GB of disk while it lasts), then
a gateway of its own serves it. Each page is asked for over HTTP, with a key, on an open connection, and its statement
is run straight with asyncpg: the same parameters, one after the other, which of the two is first changing from
round to round. EXPLAIN says of the statements that none reads a table from end to end. Then: how many requests a
second the list's route answers, beside a bare Starlette route that gives the same bytes.

Last line: one JSON object, times in milliseconds. `within_twice`: the aim, of the medians. Exit status 0 only if no
table was read sequentially and every answer had the rows that the statement gives.
"""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg

from bench import list_pages
from bench.bare_route import bare_route
from bench.cpu import cpu_of
from bench.filled import ACCOUNT, Filled, fill, not_durable, prepare
from bench.http_client import Client, requests_per_second
from bench.list_pages import Page, Statement
from bench.visible import Files
from gateway.api.read_directories import ReadDirectory
from gateway.store import keys, networks
from gateway.store.connection import Connection
from gateway.store.embedded import EmbeddedDatabase
from gateway.store.migrations import migrate
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.recordings import NODE

CALLS = 10_000_000
BYTES_A_CALL = 5_500
"""Of disk, with indexes and what Postgres writes ahead."""

ROUNDS, WARM_UP = 300, 20
EXPLAINED_EVERY = 20
WALKED_AT_ONCE = 10_000
DEEP = 500_000
LOAD_SECONDS, LOAD_CONNECTIONS, LOAD_TURNS = 5.0, 8, 2
AIM = 2.0


@dataclass(slots=True)
class Times:
    """Seconds of each round: over HTTP, and of the statement alone."""

    http: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        found: dict[str, float] = {"rounds": len(self.http)}
        for name, percent in (("p50", 50), ("p99", 99)):
            http, sql = (sorted(times)[len(times) * percent // 100] * 1000 for times in (self.http, self.sql))
            found |= {
                f"http_{name}_ms": round(http, 2),
                f"sql_{name}_ms": round(sql, 2),
                f"ratio_{name}": round(http / sql, 2),
            }
        return found | {"within_twice": found["ratio_p50"] <= AIM}


class Measurement:
    """Of one gateway, and one connection to its database. `errors`, `sequential`: what must stay empty."""

    def __init__(self, connection: Connection, client: Client, directory: ReadDirectory) -> None:
        self._connection, self._client, self._directory = connection, client, directory
        self.errors: list[str] = []
        self.sequential: set[str] = set()

    async def of(self, name: str, next_page: Callable[[dict[str, Any]], Page]) -> dict[str, float]:
        """`next_page`: which page comes after this answer, the first time after none."""
        times, answer = Times(), dict[str, Any]()
        for turn in range(WARM_UP + ROUNDS):
            page = next_page(answer)
            statement = await list_pages.statement_of(page, self._directory)
            if turn % EXPLAINED_EVERY == 0:
                self.sequential |= await list_pages.read_sequentially(self._connection, statement)
            if turn % 2:
                sql, ids = await self._straight(statement)
                http, answer = self._over_http(page)
            else:
                http, answer = self._over_http(page)
                sql, ids = await self._straight(statement)
            told = [row["id"] for row in answer.get("data", [])]
            if not told or told != ids[: len(told)] or len(ids) - len(told) != int(answer["has_more"]):
                self.errors.append(f"{page.path}: {len(told)} rows told, {len(ids)} read")
            if turn >= WARM_UP:
                times.http.append(http)
                times.sql.append(sql)
        print(f"{name}: {json.dumps(times.figures())}", flush=True)
        return times.figures()

    async def _straight(self, statement: Statement) -> tuple[float, list[str]]:
        began = time.perf_counter()
        records = await self._connection.fetch(statement.text, *statement.values)
        took = time.perf_counter() - began
        return took, [str(record["id"]) for record in records if record["id"] is not None]

    def _over_http(self, page: Page) -> tuple[float, dict[str, Any]]:
        began = time.perf_counter()
        status, body = self._client.get(page.path)
        took = time.perf_counter() - began
        if status != 200:
            self.errors.append(f"{page.path}: {status} {body[:300]!r}")
            return took, {"data": [], "has_more": False}
        return took, json.loads(body)

    def deep_cursor(self, rows: int) -> str:
        """Where a walk through all calls stands after so many rows."""
        cursor: str | None = None
        for _ in range(max(1, rows // WALKED_AT_ONCE)):
            _, answer = self._over_http(list_pages.by_cursor(cursor, WALKED_AT_ONCE))
            cursor = answer["next_cursor"]
        assert cursor is not None
        return cursor


async def measure(calls: int, work: Path) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(EmbeddedDatabase(work))
        connection = await asyncpg.connect(database.url)
        stack.push_async_callback(connection.close)
        await migrate(connection)
        await prepare(connection)
        beside = await asyncpg.connect(database.url)
        async with not_durable(connection):
            filled = await fill([connection, beside], calls)
        await beside.close()
        await networks.allow(connection, ACCOUNT.account, networks.parse_network("127.0.0.1"))
        key = await keys.create(connection, ACCOUNT.account, "bench", ["calls:read"])
        pbx = cast(AsteriskInstance, Files(work / "none.csv", work / "none"))
        gateway = await stack.enter_async_context(
            Gateway(
                pbx, work / "gateway", database_url=database.url, roles="api", key=key, extra={"GATEWAY_NODE": NODE}
            )
        )
        client = Client(gateway.port, key)
        stack.callback(client.close)
        measurement = Measurement(connection, client, await list_pages.directory_of(connection))
        pages = await _pages(measurement, filled)
        size = await connection.fetchval("select pg_database_size(current_database())")
        return {
            "calls": filled.calls,
            "users": len(ACCOUNT.users),
            "months": len(filled.months),
            "fill_seconds": round(filled.seconds),
            "index_seconds": round(filled.index_seconds),
            "database_gb": round(size / 1e9, 1),
            "pages": pages,
            "load": await _load(gateway, client, list_pages.user_month(filled, random.Random(0)).path),
            "read_sequentially": sorted(measurement.sequential),
            "errors": len(measurement.errors),
            "first_errors": measurement.errors[:5],
            "within_twice": {name: page["within_twice"] for name, page in pages.items()},
        }


async def _pages(measurement: Measurement, filled: Filled) -> dict[str, dict[str, float]]:
    chance = random.Random(filled.calls)
    deep = measurement.deep_cursor(min(DEEP, filled.calls // 2))
    wanted: dict[str, Callable[[dict[str, Any]], Page]] = {
        "user_month": lambda _: list_pages.user_month(filled, chance),
        "queue_day": lambda _: list_pages.queue_day(filled, chance),
        "number": lambda _: list_pages.number(filled, chance),
        "deep_cursor": lambda answer: list_pages.by_cursor(answer.get("next_cursor") or deep),
        "deep_offset": lambda _: list_pages.deep_offset(filled, chance),
    }
    return {name: await measurement.of(name, next_page) for name, next_page in wanted.items()}


async def _load(gateway: Gateway, client: Client, path: str) -> dict[str, float]:
    """Requests a second, and milliseconds of the processor a request, of the gateway's process and of a bare one."""
    status, body = client.get(path)
    assert status == 200
    with bare_route(body) as (port, pid):
        wanted = {"gateway": (gateway.port, gateway.pid, client.key), "bare": (port, pid, "")}
        rates: dict[str, list[float]] = {name: [] for name in wanted}
        costs: dict[str, list[float]] = {name: [] for name in wanted}
        for _ in range(LOAD_TURNS):
            for name, (at, process, key) in wanted.items():
                cpu = cpu_of(process)
                rate = await requests_per_second(at, path, key, LOAD_SECONDS, LOAD_CONNECTIONS)
                rates[name].append(rate)
                costs[name].append((cpu_of(process) - cpu) / (rate * LOAD_SECONDS) * 1000)
    found: dict[str, float] = {"bytes": len(body)}
    for name in wanted:
        found[f"{name}_requests_per_second"] = round(max(rates[name]))
        found[f"{name}_cpu_ms_a_request"] = round(min(costs[name]), 3)
    return found | {"gateway_to_bare": round(max(rates["gateway"]) / max(rates["bare"]), 2)}


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    with tempfile.TemporaryDirectory(prefix="gw-bench-") as work:
        Path(work).chmod(0o755)
        free = shutil.disk_usage(work).free
        if free < calls * BYTES_A_CALL:
            print(
                f"{calls} calls need {calls * BYTES_A_CALL / 1e9:.0f} GB of disk; {free / 1e9:.0f} are free in {work}"
            )
            return 1
        figures = asyncio.run(measure(calls, Path(work)))
    print(json.dumps(figures))
    return 0 if not figures["read_sequentially"] and not figures["errors"] else 1


if __name__ == "__main__":
    sys.exit(main())
