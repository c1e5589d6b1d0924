"""A database of so many calls, as if an account of 2 000 users had made them, written by Postgres itself.

Every call is one of two that a real Asterisk made (tests/recordings), under ids, numbers, people and times of its
own: four of five go to a user, the fifth through a queue in which two ring. The rows are those that the gateway
stored of the recording; a text that is no call's alone becomes an expression over the call's number.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.calls.directory import Directory, Group, Limits, User
from gateway.calls.document import call_text, user_call_text, visit_text
from gateway.calls.instant import from_datetime
from gateway.calls.record import CallRecord
from gateway.calls.views import user_calls
from gateway.store import directories, partitions
from gateway.store.connection import Connection
from tests.lab.recordings import NODE, PLACE, Recording

USERS, QUEUES = 2_000, 20
CALLS_A_NUMBER = 100
A_MONTH = 400 * USERS
"""Calls: so that a user's month has more than a page."""

ENDS = datetime(2026, 11, 1, tzinfo=UTC)
AT_ONCE = 100_000
TABLES = ("calls", "user_calls", "visits")
PATIENCE = 3_600.0
ACCOUNT = Directory(
    account="acme",
    name="Acme Pty Ltd",
    time_zone="Australia/Sydney",
    country="AU",
    nodes=(NODE,),
    users=tuple(
        User("", str(1000 + one), f"User {one}", None, (f"PJSIP/{1000 + one}",)) for one in range(1, USERS + 1)
    ),
    queues=tuple(Group(str(7000 + one), f"queue {one}") for one in range(1, QUEUES + 1)),
    limits=Limits(1_000_000_000, 1_000_000_000),
)

# Without these a crash loses the database, which then is filled again.
WHILE_FILLING = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "'8GB'",
}

# What is a call's own. `h`: 128 bits that look like chance, and are the same in every run.
MADE = """
select at, at + interval '{duration_ms} milliseconds' as over,
       (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
           || '7' || substr(h, 1, 3) || 'a' || substr(h, 4, 15))::uuid as id,
       extract(epoch from at)::bigint || '.' || n as linked_id,
       '+614' || lpad((hashint8extended(n, 1) & x'7fffffff'::bigint) % {numbers} || '', 8, '0') as caller,
       'u' || one as user_id, 'User ' || one as user_name, (1000 + one)::text as user_number,
       'u' || other as other_id, 'User ' || other as other_name, (1000 + other)::text as other_number,
       'queue ' || queue as queue, (7000 + queue)::text as queue_number
from generate_series($1::bigint, $2::bigint) n
cross join lateral (
    select md5(n::text) as h, '{begins}'::timestamptz + n * interval '{apart} microseconds' as at,
           1 + (hashint8extended(n, 2) & x'7fffffff'::bigint) % {users} as one,
           1 + (hashint8extended(n, 3) & x'7fffffff'::bigint) % {queues} as queue
) as drawn
cross join lateral (select 1 + (one + {users} / 2) % {users} as other) as rung_beside
where (n % 5 = 0) = {queued}
"""

CALLS = """
insert into calls (account_id, id, node, linked_ids, state, direction, outcome, caller_number, callee_number,
                   started_at, ended_at, duration_ms, updated_at, listed_at, document)
select '{account}', m.id, '{node}', array[m.linked_id], 'ended', 'inbound', 'answered', m.caller, '{callee}',
       m.at, m.over, {duration_ms}, m.over, m.over, ({document})::json
from ({made}) m
"""
USER_CALLS = """
insert into user_calls (account_id, id, call_id, user_id, type, result, direction, state, caller_number,
                        destination_number, started_at, duration_ms, updated_at, listed_at, document)
select '{account}', m.id || '-' || m.{who}_id, m.id, m.{who}_id, '{type}', '{result}', 'inbound', 'ended', m.caller,
       '{callee}', m.at, {duration_ms}, m.over, m.over, ({document})::json
from ({made}) m
"""
VISITS = """
insert into visits (account_id, kind, id, call_id, group_name, group_number, user_id, status, direction, state,
                    caller_number, destination_number, started_at, duration_ms, updated_at, listed_at, document)
select '{account}', 'queue', m.id || '-q1', m.id, m.queue, m.queue_number, m.user_id, 'answered', 'inbound', 'ended',
       m.caller, '{callee}', m.at, {duration_ms}, m.over, m.over, ({document})::json
from ({made}) m
"""

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

INDEXES = """
select c.relname as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = any($1::regclass[]) and not i.indisunique
order by c.relname
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling took, the months (each its first day) whose calls are there, and how many numbers they came from."""

    calls: int
    numbers: int
    seconds: float
    index_seconds: float
    months: tuple[datetime, ...]


async def prepare(connection: Connection) -> None:
    """The account, and a node that has told all there is. `connection`: to a database with the schema."""
    await directories.apply(connection, ACCOUNT)
    await connection.execute(
        "insert into nodes (node, row_at, row_committed_at, looked_at) values ($1, now(), now(), now())", NODE
    )


@asynccontextmanager
async def not_durable(connection: Connection) -> AsyncIterator[None]:
    """The whole server writes as fast as it can meanwhile; then all it wrote is on the disk, and it is as it was."""
    for name, value in WHILE_FILLING.items():
        await connection.execute(f"alter system set {name} = {value}")
    await connection.execute("select pg_reload_conf()")
    yield
    for name in WHILE_FILLING:
        await connection.execute(f"alter system reset {name}")
    await connection.execute("select pg_reload_conf()")
    await connection.execute("checkpoint", timeout=PATIENCE)


async def fill(connections: Sequence[Connection], calls: int) -> Filled:
    """So many calls, ending with October 2026; progress goes to standard output.

    All connections write at once; their role is a superuser.
    """
    began = time.perf_counter()
    first, months = connections[0], _months(calls)
    for month in months:
        await partitions.make(first, partitions.month_of(month))
    for connection in connections:
        await connection.execute("set session_replication_role = replica")  # No foreign key is asked for each row.
        await connection.execute("set time zone 'UTC'")
        await connection.execute("set maintenance_work_mem = '1GB'")
    indexes = await first.fetch(INDEXES, list(TABLES))
    for index in indexes:
        await first.execute(f"drop index {index['name']}")
    await _all_of(connections, _rows(await _statements(months[0], calls), calls, began))
    filled = time.perf_counter()
    # Of the whole partitioned table, as the migration said it.
    await _all_of(connections, ((index["definition"].replace(" ON ONLY ", " ON "),) for index in indexes))
    indexed = time.perf_counter()
    print(f"{len(indexes)} indexes, {indexed - filled:.0f} s", flush=True)
    await first.execute("vacuum (analyze)", timeout=PATIENCE)
    for connection in connections:
        await connection.execute("reset all")
    done = time.perf_counter()
    print(f"vacuum and analyze, {done - indexed:.0f} s", flush=True)
    return Filled(calls, _numbers(calls), done - began, indexed - filled, months)


async def _all_of(connections: Sequence[Connection], statements: Iterator[tuple[Any, ...]]) -> None:
    """Each connection takes the next statement, with its values, when it has done one."""

    async def work(connection: Connection) -> None:
        for statement, *values in statements:
            await connection.execute(statement, *values, timeout=PATIENCE)

    await asyncio.gather(*map(work, connections))


def _rows(statements: Sequence[str], calls: int, began: float) -> Iterator[tuple[Any, ...]]:
    for first in range(0, calls, AT_ONCE):
        last = min(first + AT_ONCE, calls) - 1
        for statement in statements:
            yield statement, first, last
        print(f"{last + 1} calls, {time.perf_counter() - began:.0f} s", flush=True)


def _numbers(calls: int) -> int:
    return max(1, calls // CALLS_A_NUMBER)


def _months(calls: int) -> tuple[datetime, ...]:
    months = [ENDS]
    for _ in range(max(1, round(calls / A_MONTH))):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return tuple(reversed(months[1:]))


async def _statements(begins: datetime, calls: int) -> list[str]:
    made = {
        "begins": begins.isoformat(),
        "apart": (from_datetime(ENDS) - from_datetime(begins)) // calls,
        "numbers": _numbers(calls),
        "users": USERS,
        "queues": QUEUES,
    }
    found: list[str] = []
    for scenario, queued in (("inbound_callee_ends", False), ("queue_answered", True)):
        record = await _recorded(scenario)
        texts = _Texts(record)
        common = {
            "account": ACCOUNT.account,
            "node": NODE,
            "callee": record.callee.number,
            "duration_ms": record.duration_ms,
            "made": MADE.format(queued=queued, duration_ms=record.duration_ms, **made),
        }
        found.append(CALLS.format(document=texts.expression(call_text(record)), **common))
        for row in user_calls(record):
            who = "user" if row.result == "answered" else "other"
            document = texts.expression(user_call_text(row))
            found.append(USER_CALLS.format(who=who, type=row.type, result=row.result, document=document, **common))
        visits = [texts.expression(visit_text(record, visit)) for visit in record.visits]
        found += [VISITS.format(document=document, **common) for document in visits]
    return found


async def _recorded(scenario: str) -> CallRecord:
    recording = Recording(PLACE / "demo" / scenario)
    (record,) = recording.fold(await recording.rows("journal"))
    return record


class _Texts:
    """Which texts of a record's documents are the call's own, and what stands for each in another's."""

    def __init__(self, record: CallRecord) -> None:
        own = {record.id: "m.id", record.linked_ids[0]: "m.linked_id", str(record.caller.number): "m.caller"}
        for row in user_calls(record):
            who = "user" if row.result == "answered" else "other"
            own |= {
                row.user.id: f"m.{who}_id",
                f'"{row.user.number}"': f"""'"' || m.{who}_number || '"'""",
                f'"{row.user.name}"': f"""'"' || m.{who}_name || '"'""",
                f"PJSIP/{row.user.number}": f"'PJSIP/' || m.{who}_number",
            }
        for visit in record.visits:
            own |= {
                f'"{visit.group.number}"': """'"' || m.queue_number || '"'""",
                f'"{visit.group.name}"': """'"' || m.queue || '"'""",
            }
        self._own: Mapping[str, str] = own
        self._started_at = record.started_at // 1000 * 1000
        self._pattern = re.compile("|".join([TIME, *map(re.escape, sorted(own, key=len, reverse=True))]))

    def expression(self, document: str) -> str:
        """SQL that makes the document of the call `m`."""
        places: dict[str, int] = {}
        form = self._pattern.sub(
            lambda found: f"%{places.setdefault(found[0], len(places) + 1)}$s", document.replace("%", "%%")
        )
        quoted = form.replace("'", "''")
        return f"format('{quoted}', {', '.join(map(self._of, places))})"

    def _of(self, text: str) -> str:
        if text in self._own:
            return self._own[text]
        after = from_datetime(datetime.fromisoformat(text)) - self._started_at
        return f"""to_char(m.at + interval '{after} microseconds', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
