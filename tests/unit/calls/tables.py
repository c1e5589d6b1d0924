"""Calls as tables of CEL rows, one a line, as a telephony engineer would write them down.

0.000 CHAN_START PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
0.010 APP_START  PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5)
2.000 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.0 bridge=b1
6.000 HANGUP PJSIP/102-0 u=.0 l=.0 16 PJSIP/102-0 ANSWER
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from gateway.calls.directory import Directory, Group, NodeDirectory, Trunk, User
from gateway.calls.document import call_document
from gateway.calls.fold import Fold
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import CelRow, Row

START = 1_795_489_263_000_000
ACME = Directory(
    account="acme",
    name="Acme Pty Ltd",
    time_zone="Australia/Sydney",
    country="AU",
    numbers=("+61290000001", "+61290000002", "+61290000003"),
    trunks=(Trunk("carrier", "PJSIP/trunk"),),
    users=(
        User("u1", "101", "Alice", "+61290000001", ("PJSIP/101-desk", "PJSIP/101-mobile")),
        User("u2", "102", "Bob", None, ("PJSIP/102",)),
        User("u3", "103", "Carol", None, ("PJSIP/103",)),
        User("u5", "105", "Eve", None, ("PJSIP/105",)),
    ),
    queues=(Group("700", "support"),),
    ring_groups=(Group("600", "sales"),),
)


def to_e164(number: str, country: str) -> str | None:
    """Enough of E.164 for the tables: what has a plus has it already."""
    return number if number.startswith("+") else None


def rows(table: str, node_id: str = "1795489263") -> list[CelRow]:
    """The rows of a table; CHAN_END, which comes with each HANGUP and says nothing more, is left out of tables."""
    found = [_row(line, node_id) for line in table.strip().splitlines() if line.strip()]
    return [one for row in found for one in (row, replace(row, event="CHAN_END", extra={}))[: 1 + _hangs_up(row)]]


def _hangs_up(row: CelRow) -> bool:
    return row.event == "HANGUP"


def fold(feed: Sequence[Row], batch: int = 10_000) -> tuple[list[CallRecord], list[DomainEvent]]:
    """The last record of each call, and all events, of these rows folded in batches of `batch`."""
    directory = NodeDirectory([ACME])
    machine = Fold("pbx1", lambda _: directory, to_e164)
    records: dict[str, CallRecord] = {}
    events: list[DomainEvent] = []
    for start in range(0, len(feed), batch):
        for row in feed[start : start + batch]:
            machine.take(row)
        changes = machine.drain()
        records |= {record.id: record for record in changes.records}
        for _, old, _ in changes.merged:
            records.pop(old, None)
        events += changes.events
    return list(records.values()), events


def told(table: str) -> CallRecord:
    """The one record of a table that holds one call."""
    (record,) = fold(rows(table))[0]
    assert call_document(record)
    return record


def _row(line: str, node_id: str) -> CelRow:
    at, event, channel, *words = re.findall(r'"[^"]*"|app=\S+\([^)]*\)|\S+', line)
    fields: dict[str, str] = {}
    extra: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith('"'):
            fields["caller_name"] = word.strip('"')
        elif word.startswith("app="):
            app, _, data = value.partition("(")
            fields |= {"app": app, "app_data": data.rstrip(")")}
        elif name in ("u", "l") and equals:
            value = node_id + value if value.startswith(".") else value
            fields["unique_id" if name == "u" else "linked_id"] = value
        elif name == "cid":
            fields["caller_number"] = value
        elif name == "bridge":
            extra |= {"bridge_id": value, "bridge_technology": "simple_bridge"}
        elif name == "said":
            fields["user_type"], _, extra["extra"] = value.partition(":")
        elif equals and name in ("bridge_technology", "transferee_channel_uniqueid", "pickup_channel_uniqueid"):
            extra[name] = value
        elif "@" in word and event != "HANGUP":
            fields["exten"], _, fields["context"] = word.partition("@")
        else:
            plain.append("" if word == "-" else word)
    if event == "HANGUP":
        cause, source, status = (*plain, "", "", "")[:3]
        extra |= {"hangupcause": cause, "hangupsource": source, "dialstatus": status}
    return CelRow(event, START + round(float(at) * 1_000_000), channel, extra=extra, **fields)
