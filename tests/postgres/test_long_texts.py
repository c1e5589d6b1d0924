"""A number of any length, as a dialplan may set it, does not stop the records of its node."""

import base64
import json
import random

from gateway.asterisk.cel_csv import cel_row
from gateway.calls.directory import Directory
from gateway.calls.rows import CelRow
from gateway.store.connection import Pool
from tests.postgres.test_ingest import read_all
from tests.unit.asterisk.test_rows import line
from tests.unit.calls.tables import rows
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP

NUMBER = "+" + base64.b64encode(random.Random(1).randbytes(3000)).decode()
"""An index cannot hold it, nor make it shorter."""


def as_asterisk_writes(row: CelRow) -> bytes:
    seconds, micros = divmod(row.at, 1_000_000)
    outside = row.channel.startswith("PJSIP/trunk")
    return line(
        eventtype=row.event, eventtime=f"{seconds}.{micros:06d}", name=row.caller_name, dnid=row.dnid,
        num=NUMBER if outside else row.caller_number, exten=row.exten, context=row.context, channame=row.channel,
        appname=row.app, appdata=row.app_data, uniqueid=row.unique_id, linkedid=row.linked_id, peer=row.peer,
        accountcode=row.account_code, userdeftype=row.user_type, extra=json.dumps(dict(row.extra)),
    )  # fmt: skip


async def test_a_call_from_a_number_that_no_index_holds_is_recorded_like_any_other(pool: Pool, acme: Directory) -> None:
    table = [row for row in rows(GROUP + BOB_ANSWERS) if isinstance(row, CelRow)]
    read = [row for one in table if (row := cel_row(as_asterisk_writes(one))) is not None]
    await read_all(pool, read)
    assert await pool.fetchval("select caller_number from calls where state = 'ended'") == NUMBER[:255]
