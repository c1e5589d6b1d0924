"""CDRs from the lines of `cdr_csv`'s Master.csv: 18 columns, or 21 with `newcdrcolumns`.

    accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer,
    end, duration, billsec, disposition, amaflags, uniqueid, userfield[, peeraccount, linkedid,
    sequence]

Times are the local times of whoever configured Asterisk, or UTC (`usegmtime`), in whole seconds and
without saying which. Asterisk's unique ids carry the second in which the channel was made: they tell
whether a time zone is the right one, and which of two hours it was when the clocks were put back.
"""

import csv
import re
from datetime import datetime, timedelta, tzinfo

from gateway.asterisk.long_texts import cut
from gateway.calls.cdr import RESULTS
from gateway.calls.cdr_rows import CdrRow
from gateway.calls.instant import from_datetime
from gateway.calls.rows import Instant

STOCK_COLUMNS = 18
LASTDATA_COLUMN = 8
LINKED_ID_COLUMN = 19
SLACK_SECONDS = 5
"""How much later than its channel a CDR may begin and still tell of the time zone."""

_MADE_AT = re.compile(r"(?:^|-)(\d{9,11})\.\d+$")
_CALLER_ID = re.compile(r'"(.*)" <[^<>]*>', re.DOTALL)


def cdr_fields(line: bytes) -> list[str]:
    """The columns of one record.

    Raises:
        ValueError: not a record of cdr_csv's layout, or one without the column `uniqueid`.
    """
    try:
        rows = list(csv.reader([line.decode("utf-8", "replace")], strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    fields = rows[0] if len(rows) == 1 else []
    if 16 <= len(fields) < STOCK_COLUMNS:
        raise ValueError("a CDR without unique id: cdr.conf did not have loguniqueid and loguserfield")
    if len(fields) < STOCK_COLUMNS or fields[14] not in RESULTS or not fields[5] or not fields[16]:
        raise ValueError("not a CDR of cdr_csv's layout")
    _local(fields[9])
    return cut(fields, (LASTDATA_COLUMN,))


def cdr_row(fields: list[str], zone: tzinfo) -> CdrRow:
    """The CDR of the columns that `cdr_fields` gave; their times are read as `zone`'s.

    Raises:
        ValueError: a time or a duration is none.
    """
    (
        account_code, src, dst, context, clid, channel, dst_channel, app, app_data, start, answer, end,
        duration, billable, disposition, _ama, unique_id, _user_field, *more,
    ) = fields  # fmt: skip
    started_at = _instant(_local(start), zone, made_at(unique_id))
    seconds = int(duration)
    name = _CALLER_ID.fullmatch(clid)
    return CdrRow(
        src=src,
        dst=dst,
        caller_name=name[1] if name else "",
        channel=channel,
        dst_channel=dst_channel,
        app=app,
        app_data=app_data,
        started_at=started_at,
        answered_at=_later(started_at, start, answer, seconds - int(billable)) if answer else None,
        ended_at=_later(started_at, start, end, seconds) if end else started_at + seconds * 1_000_000,
        disposition=disposition,
        unique_id=unique_id,
        context=context,
        account_code=account_code,
        linked_id=more[LINKED_ID_COLUMN - STOCK_COLUMNS] if len(more) > LINKED_ID_COLUMN - STOCK_COLUMNS else "",
    )


def made_at(unique_id: str) -> Instant | None:
    """When the channel of this id was made, to the second; None for an id that Asterisk did not choose."""
    match = _MADE_AT.search(unique_id)
    return int(match[1]) * 1_000_000 if match else None


def offset_seconds(fields: list[str], zone: tzinfo) -> int | None:
    """How far the CDR's start, read as `zone`'s, is from the making of its channel; None where nobody can say."""
    made = made_at(fields[16])
    return None if made is None else (_instant(_local(fields[9]), zone, made) - made) // 1_000_000


def fits(offset: int) -> bool:
    """Whether such an offset speaks for the zone."""
    return -1 <= offset <= SLACK_SECONDS


def _local(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("a time that names its zone is not cdr_csv's")
    return moment


def _instant(local: datetime, zone: tzinfo, made: Instant | None) -> Instant:
    """Of two hours with the same name, the first in which the channel was there."""
    candidates = [from_datetime(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)]
    late_enough = [one for one in candidates if made is None or one >= made - 1_000_000]
    return min(late_enough or candidates)


def _later(started_at: Instant, start: str, other: str, seconds: int) -> Instant:
    """By the difference of the local times; where the clocks were put in between, by the length that is told."""
    told = _local(other) - _local(start)
    if abs(told - timedelta(seconds=seconds)) > timedelta(minutes=10):
        told = timedelta(seconds=seconds)
    return started_at + told // timedelta(microseconds=1)
