"""Directories on a real Postgres: who keeps an id, whose an endpoint is, what a day's names were."""

from dataclasses import replace

import asyncpg
import pytest

from gateway.calls.directory import Directory, DirectoryHistory, Trunk, User
from gateway.store import directories
from gateway.store.connection import Pool
from gateway.store.errors import ClaimedElsewhere
from tests.directories import ACME


def with_users(*users: User) -> Directory:
    return replace(ACME, users=users)


async def applied(pool: Pool, directory: Directory) -> directories.Plan:
    async with pool.acquire() as connection:
        return await directories.apply(connection, directory)


def ids(plan: directories.Plan) -> dict[str, str]:
    return {f"{user.number} {user.name}": user.id for user in plan.directory.users}


ALICE, BOB = User("", "101", "Alice"), User("", "102", "Bob")


async def test_ids_stay_whatever_the_order(pool: Pool) -> None:
    first = await applied(pool, with_users(ALICE, BOB))
    assert ids(first) == {"101 Alice": "u1", "102 Bob": "u2"}
    assert ids(await applied(pool, with_users(BOB, ALICE))) == ids(first)


async def test_a_user_who_gets_another_number_is_the_same_person(pool: Pool) -> None:
    await applied(pool, with_users(ALICE, BOB))
    assert ids(await applied(pool, with_users(replace(ALICE, number="109"), BOB)))["109 Alice"] == "u1"


async def test_a_number_that_passes_to_somebody_else_is_another_person(pool: Pool) -> None:
    await applied(pool, with_users(ALICE, BOB))
    assert ids(await applied(pool, with_users(User("", "101", "Zoe"), BOB))) == {"101 Zoe": "u3", "102 Bob": "u2"}


async def test_two_who_swap_numbers_are_new_persons_unless_the_file_says_who_they_are(pool: Pool) -> None:
    await applied(pool, with_users(ALICE, BOB))
    swapped = with_users(User("u1", "102", "Alice"), User("u2", "101", "Bob"))
    assert ids(await applied(pool, swapped)) == {"102 Alice": "u1", "101 Bob": "u2"}


async def test_an_id_is_never_given_again(pool: Pool) -> None:
    await applied(pool, with_users(ALICE, BOB))
    await applied(pool, with_users(ALICE))
    assert ids(await applied(pool, with_users(ALICE, User("", "103", "Carol"))))["103 Carol"] == "u3"
    assert ids(await applied(pool, with_users(ALICE, BOB)))["102 Bob"] == "u2"


async def test_an_id_that_the_file_gives_is_not_given_to_a_newcomer_too(pool: Pool) -> None:
    plan = await applied(pool, with_users(User("", "101", "Alice"), User("u1", "102", "Bob"), User("u3", "103", "Eve")))
    assert len({user.id for user in plan.directory.users}) == 3
    later = await applied(pool, with_users(*plan.directory.users, User("", "104", "Zoe")))
    assert len({user.id for user in later.directory.users}) == 4


async def test_a_plan_changes_nothing(pool: Pool) -> None:
    async with pool.acquire() as connection:
        plan = await directories.plan(connection, ACME)
        assert plan.changes
        assert await directories.current(connection, "acme") is None
        assert await directories.latest(connection) == 0


async def test_what_was_applied_is_current_and_the_same_again_is_no_version(pool: Pool) -> None:
    plan = await applied(pool, ACME)
    assert await directories.current(pool, "acme") == plan.directory
    assert await directories.latest(pool) == 1
    assert (await applied(pool, ACME)).changes == ()
    assert await directories.latest(pool) == 1


async def test_the_history_keeps_the_names_of_the_day(pool: Pool) -> None:
    await applied(pool, with_users(ALICE))
    await applied(pool, with_users(replace(ALICE, number="109")))
    history = await directories.history(pool, "pbx1")
    assert [directory.users[0].number for _, directory in history] == ["101", "109"]
    assert history[0][0] < history[1][0]
    assert await directories.history(pool, "pbx2") == []


@pytest.mark.parametrize(
    ("other", "claim"),
    [
        ({"users": (User("", "1", "Zoe", None, ("PJSIP/102",)),)}, ("pbx1", "endpoint", "PJSIP/102", "acme")),
        ({"numbers": ("+61290000001",)}, ("pbx1", "number", "+61290000001", "acme")),
        ({"trunks": (Trunk("t", "PJSIP/trunk"),)}, ("pbx1", "endpoint", "PJSIP/trunk", "acme")),
    ],
)
async def test_what_is_anothers_is_refused_whole(
    pool: Pool, acme: Directory, other: dict[str, object], claim: tuple[str, str, str, str]
) -> None:
    second = replace(Directory("other", "Other", "UTC", "AU", nodes=("pbx1",)), **other)  # type: ignore[arg-type]
    with pytest.raises(ClaimedElsewhere) as caught:
        await applied(pool, second)
    assert caught.value.claims == [claim]
    assert await directories.current(pool, "other") is None
    assert await directories.accounts(pool) == ["acme"]


async def test_a_directory_for_every_node_meets_those_of_one(pool: Pool, acme: Directory) -> None:
    everywhere = Directory("other", "Other", "UTC", "AU", numbers=("+61290000001",))
    with pytest.raises(ClaimedElsewhere):
        await applied(pool, everywhere)


async def test_on_another_node_the_same_name_is_another_endpoint(pool: Pool, acme: Directory) -> None:
    elsewhere = replace(ACME, account="other", nodes=("pbx2",))
    assert (await applied(pool, elsewhere)).directory.nodes == ("pbx2",)


async def test_who_left_a_node_has_nothing_on_it_any_more(pool: Pool, acme: Directory) -> None:
    """Else the devices that another account has there now would still be theirs."""
    await applied(pool, replace(acme, nodes=("pbx2",)))
    await applied(pool, replace(acme, account="other", users=(User("", "101", "Olga", None, ("PJSIP/101-desk",)),)))
    history = DirectoryHistory(await directories.history(pool, "pbx1"))
    now = history.at(1 << 60)
    found = now.endpoint("PJSIP/101-desk")
    assert found is not None
    assert found.account == "other"
    assert now.account_of_number("+61290000001") == "other"
    assert now.endpoint("PJSIP/102") is None
    assert history.at(0).endpoint("PJSIP/102") is not None


async def test_a_node_named_twice_is_one_node(pool: Pool, acme: Directory) -> None:
    await applied(pool, replace(acme, nodes=("pbx1", "pbx1")))
    assert len(await pool.fetch("select from claims where value = 'PJSIP/102'")) == 1


async def test_what_was_given_up_may_be_claimed(pool: Pool, acme: Directory) -> None:
    await applied(pool, replace(ACME, numbers=("+61290000002",), users=()))
    other = Directory("other", "Other", "UTC", "AU", nodes=("pbx1",), numbers=("+61290000001",))
    await applied(pool, other)
    assert await directories.accounts(pool) == ["acme", "other"]


async def test_two_accounts_share_a_trunk_that_both_call_shared(pool: Pool) -> None:
    for account in ("one", "two"):
        shared = Directory(account, account, "UTC", "AU", nodes=("pbx1",), trunks=(Trunk("t", "PJSIP/trunk", True),))
        await applied(pool, shared)
    assert await directories.accounts(pool) == ["one", "two"]


async def test_a_fault_of_the_database_leaves_the_old_directory(pool: Pool, acme: Directory) -> None:
    twice = with_users(User("", "101", "Alice"), User("", "101", "Zoe"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await applied(pool, twice)
    assert await directories.current(pool, "acme") == acme
