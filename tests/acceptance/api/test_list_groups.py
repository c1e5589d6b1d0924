"""Queues and ring groups in lists: each is found by what it is and was called, and by nothing that is another's."""

from dataclasses import replace

import httpx
import pytest

from gateway.calls.directory import Directory, Group
from gateway.calls.record import CallRecord, GroupRef, VisitKind
from gateway.store import calls, directories
from gateway.store.connection import Pool
from tests.acceptance.api.records import SECOND, inbound, instant, through_queue, through_ring_group

NOON = instant("2026-11-03T12:00:00+11:00")
MINUTE = 60 * SECOND
LISTS: dict[VisitKind, tuple[str, ...]] = {
    "queue": ("calls", "user-calls", "queue-calls"),
    "ring_group": ("calls", "user-calls", "ring-group-calls"),
}
DROP_IN: dict[VisitKind, tuple[str, str]] = {
    "queue": ("get-queue-calls", "queues_names"),
    "ring_group": ("get-ringgroup-calls", "ringgroups_names"),
}


def visit(directory: Directory, kind: VisitKind, minute: int, group: Group) -> CallRecord:
    """A call, so many minutes after noon, through this queue or ring group."""
    through = through_queue if kind == "queue" else through_ring_group
    record = through(directory, inbound(directory, NOON + minute * MINUTE))
    [one] = record.visits
    [attempt] = record.attempts
    return replace(
        record,
        visits=(replace(one, group=GroupRef(group.number, group.name)),),
        attempts=(replace(attempt, via=kind, visit=one.id),),
    )


def with_groups(directory: Directory, kind: VisitKind, *groups: Group) -> Directory:
    return replace(directory, queues=groups) if kind == "queue" else replace(directory, ring_groups=groups)


async def apply(pool: Pool, directory: Directory) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, directory)


async def write(pool: Pool, *records: CallRecord) -> None:
    async with pool.acquire() as connection:
        await calls.write_records(connection, records)


async def minutes(client: httpx.AsyncClient, kind: VisitKind, term: str) -> list[int]:
    """After noon, of the calls that this term finds; each list has the same."""
    found = []
    for name in LISTS[kind]:
        response = await client.get(f"/v1/{name}", params={kind: term, "sort": "oldest_first"})
        assert response.status_code == 200, response.text
        found.append([(instant(row["started_at"]) - NOON) // MINUTE for row in response.json()["data"]])
    assert found[0] == found[1] == found[2]
    return found[0]


async def fault(client: httpx.AsyncClient, kind: VisitKind, term: str) -> str:
    codes = set()
    for name in LISTS[kind]:
        response = await client.get(f"/v1/{name}", params={kind: term})
        assert response.status_code == 422, response.text
        codes |= {one["code"] for one in response.json()["errors"]}
    [code] = codes
    return str(code)


@pytest.mark.parametrize("kind", LISTS)
async def test_one_that_was_renamed_is_found_whole(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, kind: VisitKind
) -> None:
    old, new = Group("690", "support"), Group("690", "helpdesk")
    await apply(pool, with_groups(acme, kind, old))
    await apply(pool, with_groups(acme, kind, new))
    await write(pool, visit(acme, kind, 0, old), visit(acme, kind, 1, new), visit(acme, kind, 2, Group("691", "other")))
    for term in ("690", "helpdesk", "support"):
        assert await minutes(client, kind, term) == [0, 1]
    async with pool.acquire() as connection:
        await directories.apply(connection, with_groups(acme, kind))
    for term in ("690", "helpdesk", "support"):
        assert await minutes(client, kind, term) == [0, 1]


@pytest.mark.parametrize("kind", LISTS)
async def test_one_that_got_another_number_is_found_whole(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, kind: VisitKind
) -> None:
    old, new = Group("690", "support"), Group("695", "support")
    await apply(pool, with_groups(acme, kind, old))
    await apply(pool, with_groups(acme, kind, new))
    await write(pool, visit(acme, kind, 0, old), visit(acme, kind, 1, new))
    for term in ("695", "support", "690"):
        assert await minutes(client, kind, term) == [0, 1]


@pytest.mark.parametrize("kind", LISTS)
async def test_a_number_that_passed_to_another_group_is_the_present_ones(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, kind: VisitKind
) -> None:
    old, new = Group("690", "support"), Group("690", "helpdesk")
    for groups in ((old,), (), (new,)):
        await apply(pool, with_groups(acme, kind, *groups))
    await write(pool, visit(acme, kind, 0, old), visit(acme, kind, 1, new))
    assert await minutes(client, kind, "690") == await minutes(client, kind, "helpdesk") == [1]
    assert await minutes(client, kind, "support") == [0]


async def test_two_ring_groups_of_one_name_are_apart(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    one, other = Group("600", "sales"), Group("601", "sales")
    await apply(pool, replace(acme, ring_groups=(one, other)))
    await write(pool, visit(acme, "ring_group", 0, one), visit(acme, "ring_group", 1, other))
    assert await minutes(client, "ring_group", "600") == [0]
    assert await minutes(client, "ring_group", "601") == [1]
    assert await fault(client, "ring_group", "sales") == "ambiguous_ring_group"
    both = await client.get("/v1/ring-group-calls?ring_group=600&ring_group=601&ring_group=600")
    assert len(both.json()["data"]) == 2
    await apply(pool, replace(acme, ring_groups=(one,)))
    assert await minutes(client, "ring_group", "sales") == [0]
    assert await minutes(client, "ring_group", "601") == [1]


@pytest.mark.parametrize("kind", LISTS)
async def test_a_number_that_is_anothers_name_names_two(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, kind: VisitKind
) -> None:
    await apply(pool, with_groups(acme, kind, Group("690", "support"), Group("691", "690")))
    assert await fault(client, kind, "690") == f"ambiguous_{kind}"
    assert await fault(client, kind, "nobody") == f"unknown_{kind}"


async def test_a_queue_that_the_directory_did_not_have_yet_is_found(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    """Its visits of then have its name, as Asterisk tells it, and no number."""
    new = Group("705", "billing")
    await apply(pool, replace(acme, queues=(*acme.queues, new)))
    await write(pool, visit(acme, "queue", 0, Group(None, "billing")), visit(acme, "queue", 1, new))
    assert await minutes(client, "queue", "705") == await minutes(client, "queue", "billing") == [0, 1]


@pytest.mark.parametrize("kind", LISTS)
async def test_the_drop_in_path_finds_it_by_each_of_its_names(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, kind: VisitKind
) -> None:
    old, new = Group("690", "support, Sydney"), Group("690", "helpdesk")
    await apply(pool, with_groups(acme, kind, old))
    await apply(pool, with_groups(acme, kind, new))
    await write(pool, visit(acme, kind, 0, old), visit(acme, kind, 1, new), visit(acme, kind, 2, Group("691", "other")))
    path, parameter = DROP_IN[kind]
    for names, rows in (("helpdesk", 2), ("support, Sydney", 2), ("nobody", 0), ("nobody,helpdesk", 2)):
        answer = await client.get(f"/api/integration/v2/{path}", params={parameter: names})
        assert (names, len(answer.json()["data"])) == (names, rows)
