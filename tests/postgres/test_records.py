"""Records are written as they are, whatever Asterisk's names hold."""

from dataclasses import replace

from gateway.calls.directory import Directory
from gateway.calls.document import call_text
from gateway.store import calls
from gateway.store.connection import Pool
from tests.acceptance.api.records import inbound

ODD = ('with "quotes"', "with \\ and {braces}, commas", "null", " ", "two\nlines")


async def test_linked_ids_of_any_number_and_spelling_are_kept(pool: Pool, acme: Directory) -> None:
    first = inbound(acme, 1_795_489_263_000_000)
    second = replace(inbound(acme, 1_795_489_264_000_000), linked_ids=ODD)
    assert first.id != second.id
    async with pool.acquire() as connection:
        await calls.write_records(connection, [first, second])
        await calls.write_records(connection, [])
    kept = {
        str(record["id"]): (tuple(record["linked_ids"]), record["document"])
        for record in await pool.fetch("select id, linked_ids, document from calls")
    }
    assert kept == {one.id: (one.linked_ids, call_text(one)) for one in (first, second)}
