"""Rows from the lines of `cel_custom`, in the layout that its sample file gives: 20 columns,
all quoted, a quote doubled.

    eventtype, eventtime, CALLERID(name), (num), (ANI), (RDNIS), (DNID), exten, context, channame,
    appname, appdata, amaflags, accountcode, uniqueid, linkedid, BRIDGEPEER, userfield,
    userdeftype, eventextra
"""

import csv
import re

from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.cel_extra import decode_extra
from gateway.asterisk.long_texts import SUSPICIOUS, cut
from gateway.calls.rows import CelRow

COLUMNS = 20
WHOLE = (11, 19)
"""appdata, eventextra."""

RECORD_START = re.compile(rb'"[^"\r\n]{1,80}","\d{9,11}\.\d{6}","')
"""How every record begins (unless cel.conf sets `dateformat`): where reading goes on after a torn one."""


def cel_row(line: bytes) -> CelRow | None:
    """The row of one record, without its line end; None for digits, which are not kept.

    Raises:
        ValueError: not a record of the stock layout.
    """
    if b"\0" in line:
        raise ValueError("NUL, as a power cut leaves it")
    fields = _fields(line.decode("utf-8", "replace"))
    if len(line) > SUSPICIOUS:
        fields = cut(fields, WHOLE)
    (
        event, time, name, number, _ani, _rdnis, dnid, exten, context, channel,
        app, app_data, _ama, account_code, unique_id, linked_id, peer, _user_field, user_type, extra,
    ) = fields  # fmt: skip
    if event == "DTMF":
        return None
    if user_type and event == user_type:
        # cel.c writes a user-defined event under its own name, which may be that of a real one.
        event = "USER_DEFINED"
    if not event or not channel or not unique_id or not linked_id:
        raise ValueError("a record without event, channel or ids")
    return CelRow(
        event, read_time(time), channel, unique_id, linked_id, exten, context, number, name, app, app_data,
        peer, account_code, dnid, user_type, decode_extra(extra),
    )  # fmt: skip


def _fields(text: str) -> list[str]:
    if text[:1] == '"' and text[-1:] == '"':
        # Most records hold quotes nowhere but in Extra, the last column: then splitting is exact.
        fields = text[1:-1].split('","', COLUMNS - 1)
        if len(fields) == COLUMNS and '"' not in "".join(fields[:-1]):
            last = fields[-1]
            if '"' not in last.replace('""', ""):
                fields[-1] = last.replace('""', '"')
                return fields
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if len(rows) != 1 or len(rows[0]) != COLUMNS:
        raise ValueError("not a record of the stock layout of cel_custom")
    return rows[0]
