"""What Postgres refuses of one call holds up no other, nor the rows after it."""

import pytest

from gateway.calls.directory import Directory
from gateway.calls.rows import Row
from gateway.store.connection import Pool
from tests.postgres.test_ingest import read_all
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP

BAD, GOOD, LATER = "1795489263", "1795489264", "1795489265"


def calls_at_once() -> list[Row]:
    """A call that is refused and one that is not, row by row in turn; and one after both."""
    bad, good = rows(GROUP + BOB_ANSWERS, BAD), rows(ANSWERED, GOOD)
    in_turn = [row for pair in zip(bad, good, strict=False) for row in pair]
    rest = bad[len(good) :] + good[len(bad) :]
    return [*in_turn, *rest, *rows(ANSWERED, LATER)]


async def linked_ids(pool: Pool) -> list[str]:
    return [row["of"] for row in await pool.fetch("select distinct linked_ids[1] as of from calls order by 1")]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "refusal",
    [
        f"alter table calls add check (linked_ids[1] <> '{BAD}.0')",
        "alter table user_calls add check (type not like 'user_inbound%')",
        "alter table events add check (type <> 'ring_group.answered')",
        # More than an index takes.
        f"create index on calls ((case when linked_ids[1] = '{BAD}.0' then (select_much()) end))",
    ],
)
async def test_a_call_that_is_refused_holds_up_no_other(pool: Pool, acme: Directory, refusal: str, size: int) -> None:
    await pool.execute(
        "create function select_much() returns text immutable language sql as "
        "$$ select string_agg(md5(i::text), '') from generate_series(1, 1000) as i $$"
    )
    await pool.execute(refusal)
    feed = calls_at_once()
    progress = await read_all(pool, feed, size)
    assert progress.rows == len(feed)
    assert progress.refused
    whole = await pool.fetch("select linked_ids[1] as of from calls where state = 'ended' order by 1")
    assert [row["of"] for row in whole if row["of"] != f"{BAD}.0"] == [f"{GOOD}.0", f"{LATER}.0"]
    assert await pool.fetchval("select count(*) from raw_rows") == len(feed)
    events = await pool.fetch("select sequence, type from events order by sequence")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("call.ended") >= 2


async def test_a_row_that_is_refused_is_the_only_one_that_is_not_kept(pool: Pool, acme: Directory) -> None:
    await pool.execute(f"alter table raw_rows add check (not (unique_id = '{BAD}.1' and row ->> 1 = 'ANSWER'))")
    feed = calls_at_once()
    progress = await read_all(pool, feed, 1000)
    kept = await pool.fetchval("select count(*) from raw_rows")
    assert kept == len(feed) - progress.refused
    assert await linked_ids(pool) == [f"{BAD}.0", f"{GOOD}.0", f"{LATER}.0"]
