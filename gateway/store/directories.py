"""Directories: applied whole or not at all, kept with history, users' ids given once.

A user is the same person under the same number and name, or under the same name where the old
number is nobody's any more; a number that passes to another name is another person.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.calls.directory import Directory, User
from gateway.calls.groups_ever import KnownGroup, groups_ever
from gateway.calls.instant import from_datetime
from gateway.calls.record import GroupRef
from gateway.calls.rows import Instant
from gateway.store.connection import Connection, Pool
from gateway.store.errors import ClaimedElsewhere

LOCK = 7_413_002
ANY_NODE = "*"
"""The node of claims of a directory that names no nodes."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user that the account has or had."""

    id: str
    number: str
    name: str
    removed: bool


@dataclass(frozen=True, slots=True)
class DirectoryVersion:
    """One state of an account's directory; what it holds never changes.

    The time tells it from one of the same number, counted again after a backup was restored.
    """

    account: str
    number: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do: the directory with its users' ids, and the difference a line each."""

    directory: Directory
    changes: tuple[str, ...]


def with_ids(directory: Directory, known: Sequence[KnownUser]) -> Directory:
    """Give each user the id of the same person, else a new one (`u1`, `u2` …), never used before."""
    numbers = {user.number for user in directory.users}
    taken: set[str] = {user.id for user in directory.users if user.id}
    used = taken | {one.id for one in known}
    highest = max((int(one[1:]) for one in used if one[1:].isdecimal()), default=0)
    found: list[User] = []
    for user in directory.users:
        same = user.id or _same_person(user, known, numbers, taken)
        if not same:
            highest += 1
            same = f"u{highest}"
        taken.add(same)
        found.append(replace(user, id=same))
    return replace(directory, users=tuple(found))


def _same_person(user: User, known: Sequence[KnownUser], numbers: set[str], taken: set[str]) -> str:
    free = [one for one in known if one.id not in taken and one.name == user.name]
    exact = [one for one in free if one.number == user.number]
    moved = [one for one in free if not one.removed and one.number not in numbers]
    return exact[-1].id if exact else (moved[0].id if len(moved) == 1 else "")


def difference(before: Directory | None, after: Directory) -> tuple[str, ...]:
    """What changes, one line each: `+` what is new, `-` what goes, `~` what becomes otherwise."""
    old = _lines(before) if before else {}
    new = _lines(after)
    lines = [f"- {name}: {old[name]}" for name in old if name not in new]
    lines += [f"+ {name}: {new[name]}" for name in new if name not in old]
    lines += [f"~ {name}: {old[name]} -> {new[name]}" for name in new if name in old and old[name] != new[name]]
    return tuple(lines)


async def plan(connection: Connection, directory: Directory) -> Plan:
    """What `apply` would do, nothing done.

    Raises:
        ClaimedElsewhere: as `apply` would.
    """
    await _refuse_claims_of_others(connection, directory)
    named = with_ids(directory, await _known_users(connection, directory.account))
    return Plan(named, difference(await current(connection, directory.account), named))


async def apply(connection: Connection, directory: Directory) -> Plan:
    """Make this the account's directory, all or nothing; what changed.

    Raises:
        ClaimedElsewhere: an endpoint, number or context belongs to another account of a node.
    """
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
        planned = await plan(connection, directory)
        if not planned.changes:
            return planned
        document = json.dumps(planned.directory.to_document())
        version: int = await connection.fetchval(
            """
            insert into accounts (
                id, name, time_zone, country, requests_per_minute, requests_per_minute_per_key, directory_version
            )
            values ($1, $2, $3, $4, $5, $6, 1)
            on conflict (id) do update
            set name = excluded.name, time_zone = excluded.time_zone, country = excluded.country,
                requests_per_minute = excluded.requests_per_minute,
                requests_per_minute_per_key = excluded.requests_per_minute_per_key,
                directory_version = accounts.directory_version + 1
            returning directory_version
            """,
            directory.account,
            directory.name,
            directory.time_zone,
            directory.country,
            directory.limits.requests_per_minute,
            directory.limits.requests_per_minute_per_key,
        )
        await connection.execute(
            # Not now(), which is when we began to wait for the lock: versions are in the order of their times.
            "insert into directory_versions (account_id, version, document, applied_at) "
            "values ($1, $2, $3::text::jsonb, clock_timestamp())",
            directory.account,
            version,
            document,
        )
        await _write_users(connection, planned.directory)
        await _write_claims(connection, planned.directory)
        return planned


async def current(connection: Connection | Pool, account: str) -> Directory | None:
    """The account's directory as applied last; None where none ever was."""
    document = await connection.fetchval(
        "select v.document::text from accounts a join directory_versions v "
        "on v.account_id = a.id and v.version = a.directory_version where a.id = $1",
        account,
    )
    return None if document is None else Directory.from_document(json.loads(document))


async def version_of(connection: Connection | Pool, account: str) -> DirectoryVersion | None:
    """Which one is the account's now; None where none was applied yet."""
    record = await connection.fetchrow(
        "select v.version, v.applied_at from accounts a join directory_versions v "
        "on v.account_id = a.id and v.version = a.directory_version where a.id = $1",
        account,
    )
    return None if record is None else DirectoryVersion(account, record["version"], record["applied_at"])


async def of_version(connection: Connection | Pool, version: DirectoryVersion) -> Directory | None:
    """None where the database no longer has it."""
    document = await connection.fetchval(
        "select document::text from directory_versions where account_id = $1 and version = $2 and applied_at = $3",
        version.account,
        version.number,
        version.applied_at,
    )
    return None if document is None else Directory.from_document(json.loads(document))


async def accounts(connection: Connection | Pool) -> list[str]:
    return [record["id"] for record in await connection.fetch("select id from accounts order by id")]


async def accounts_on(connection: Connection | Pool, node: str) -> list[str]:
    """Those whose directory is on this node now: see `is_on`."""
    records = await connection.fetch(
        """
        select a.id from accounts a
        join directory_versions v on v.account_id = a.id and v.version = a.directory_version
        where coalesce(jsonb_array_length(v.document -> 'nodes'), 0) = 0 or v.document -> 'nodes' ? $1
        order by a.id
        """,
        node,
    )
    return [record["id"] for record in records]


async def latest(connection: Connection | Pool) -> int:
    """A number that grows whenever any directory is applied."""
    return int(await connection.fetchval("select count(*) from directory_versions"))


async def queues_of_others(pool: Pool, account: str, node: str) -> frozenset[str]:
    """Names of queues of this node that another account has in its directory."""
    records = await pool.fetch(
        """
        select distinct q.queue ->> 'name' as name
        from accounts a
        join directory_versions v on v.account_id = a.id and v.version = a.directory_version
        cross join lateral jsonb_array_elements(v.document -> 'queues') as q (queue)
        where a.id <> $1 and (v.document -> 'nodes' = '[]' or v.document -> 'nodes' ? $2)
        """,
        account,
        node,
    )
    return frozenset(record["name"] for record in records)


def is_on(directory: Directory, node: str) -> bool:
    """Whether the account's endpoints are on this node; a directory that names no nodes is on all."""
    return not directory.nodes or node in directory.nodes


async def history(connection: Connection | Pool, node: str) -> list[tuple[Instant, Directory]]:
    """All versions of the directories whose calls this node carries, oldest first.

    An account that left the node has nothing on it from then on: its names there may be another's now.
    """
    records = await connection.fetch(
        "select applied_at, document::text as document from directory_versions order by applied_at, account_id, version"
    )
    versions = [(from_datetime(r["applied_at"]), Directory.from_document(json.loads(r["document"]))) for r in records]
    been_here: set[str] = set()
    here: list[tuple[Instant, Directory]] = []
    for at, directory in versions:
        if is_on(directory, node):
            been_here.add(directory.account)
            here.append((at, directory))
        elif directory.account in been_here:
            here.append((at, _with_nothing(directory)))
    return here


def _with_nothing(directory: Directory) -> Directory:
    return replace(directory, numbers=(), contexts=(), trunks=(), users=(), queues=(), ring_groups=())


async def users_ever(connection: Connection | Pool, account: str) -> list[KnownUser]:
    """Every user that the account has or had."""
    return await _known_users(connection, account)


async def known_groups(
    connection: Connection | Pool, version: DirectoryVersion
) -> tuple[list[KnownGroup], list[KnownGroup]]:
    """The queues, and the ring groups, that the account had in any version up to this one."""
    records = await connection.fetch(
        """
        select d.queues::text as queues, d.ring_groups::text as ring_groups
        from directory_versions v
        cross join lateral jsonb_to_record(v.document) as d (queues jsonb, ring_groups jsonb)
        where v.account_id = $1 and v.version <= $2
        order by v.version
        """,
        version.account,
        version.number,
    )
    queues, ring_groups = (
        [[GroupRef(group["number"], group["name"]) for group in json.loads(record[name])] for record in records]
        for name in ("queues", "ring_groups")
    )
    return groups_ever(queues, "queue"), groups_ever(ring_groups, "ring_group")


async def _known_users(connection: Connection | Pool, account: str) -> list[KnownUser]:
    records = await connection.fetch(
        "select id, number, name, removed_at is not null as removed from users where account_id = $1 "
        "order by length(id), id",
        account,
    )
    return [KnownUser(r["id"], r["number"], r["name"], r["removed"]) for r in records]


async def _write_users(connection: Connection, directory: Directory) -> None:
    await connection.execute(
        "update users set removed_at = now() where account_id = $1 and removed_at is null", directory.account
    )
    await connection.executemany(
        """
        insert into users (account_id, id, number, name, external_id) values ($1, $2, $3, $4, $5)
        on conflict (account_id, id) do update
        set number = excluded.number, name = excluded.name, external_id = excluded.external_id, removed_at = null
        """,
        [(directory.account, user.id, user.number, user.name, user.external_id) for user in directory.users],
    )


async def _refuse_claims_of_others(connection: Connection, directory: Directory) -> None:
    wanted = list(_claims(directory))
    taken = await connection.fetch(
        """
        select distinct c.node, c.kind, c.value, c.account_id
        from claims c join unnest($1::text[], $2::text[], $3::text[]) as w (node, kind, value)
          on c.kind = w.kind and c.value = w.value and (c.node = w.node or c.node = '*' or w.node = '*')
        where c.account_id <> $4
        order by c.node, c.kind, c.value
        """,
        [node for node, _, _ in wanted],
        [kind for _, kind, _ in wanted],
        [value for _, _, value in wanted],
        directory.account,
    )
    if taken:
        raise ClaimedElsewhere([(r["node"], r["kind"], r["value"], r["account_id"]) for r in taken])


async def _write_claims(connection: Connection, directory: Directory) -> None:
    await connection.execute("delete from claims where account_id = $1", directory.account)
    await connection.executemany(
        "insert into claims (node, kind, value, account_id) values ($1, $2, $3, $4)",
        [(*claim, directory.account) for claim in _claims(directory)],
    )


def _claims(directory: Directory) -> Iterable[tuple[str, str, str]]:
    values = {("endpoint", device) for user in directory.users for device in user.devices}
    values |= {("endpoint", trunk.endpoint) for trunk in directory.trunks if not trunk.shared}
    values |= {("number", number) for number in directory.numbers}
    values |= {("context", context) for context in directory.contexts}
    for node in dict.fromkeys(directory.nodes or (ANY_NODE,)):
        for kind, value in sorted(values):
            yield node, kind, value


def _lines(directory: Directory) -> dict[str, str]:
    document = directory.to_document()
    lines: dict[str, str] = {}
    for name, value in document.items():
        if name == "users":
            lines |= {f"user {user['id']}": _line(user) for user in value}
        elif name in ("trunks", "queues", "ring_groups"):
            names = Counter(item["name"] for item in value)
            for item in value:
                twin = f" {item.get('number') or item.get('endpoint')}" if names[item["name"]] > 1 else ""
                lines[f"{name.removesuffix('s').replace('_', ' ')} {item['name']}{twin}"] = _line(item)
        else:
            lines[name.replace("_", " ")] = _line(value)
    return lines


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_line(item)}" for name, item in value.items() if item not in (None, (), [], ""))
    if isinstance(value, list | tuple):
        return ",".join(_line(item) for item in value)
    return str(value)
