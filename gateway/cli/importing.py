"""`gateway import`: recorded files into the database, as history."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import typer

from gateway.asterisk.cdr_csv import cdr_fields, cdr_row, fits, offset_seconds
from gateway.asterisk.recorded import NamedFile, Recorded
from gateway.calls.cdr import call_of
from gateway.calls.cdr_rows import CdrCalls, CdrRow
from gateway.calls.directory import DirectoryHistory
from gateway.cli.run import connection, fail, run, settings
from gateway.cli.streams import Format, Formats, QueueLogs, Streams
from gateway.ingest import history as ingest
from gateway.ingest.history import Imported, RowImport, batches
from gateway.node_name import node_name
from gateway.numbering import to_e164
from gateway.store import directories, history
from gateway.store.connection import Connection

Fields = tuple[NamedFile, int, list[str]]
"""One CDR's columns, and where they stand."""

CALLS_A_TRANSACTION = 500


def import_(
    cel: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Channel events; - is standard input. May be repeated.")
    ] = None,
    queue_log: QueueLogs = None,
    wanted: Formats = Format.AUTO,
    cdr: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="CDRs: cdr_csv's Master.csv, for the time before CEL. May be repeated."),
    ] = None,
    node: Annotated[str, typer.Option(help="Whose Asterisk wrote them. Default: GATEWAY_NODE.")] = "",
    time_zone: Annotated[
        str, typer.Option(help="Of the CDRs' times. Default: the accounts', or UTC if those do not fit.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Record the calls of recorded files, as history: no event tells of them. What is recorded stays."""
    if bool(cel) == bool(cdr):
        fail("either --cel or --cdr: say which files to import", 2)
    if cdr and (queue_log or wanted != Format.AUTO):
        fail("--queue-log and --format go with --cel", 2)
    if cel and time_zone:
        fail("--time-zone goes with --cdr: channel events carry their own", 2)
    if time_zone and time_zone not in available_timezones():
        fail(f"--time-zone: {time_zone!r} is no IANA time zone", 2)
    of_node = node or node_name(settings())
    with Streams([*(cel or ()), *(queue_log or ()), *(cdr or ())], logged=True) as streams:

        async def work() -> Imported:
            async with connection(migrated=True) as opened:
                known = await ingest.known_directories(opened, of_node)
                if known is None:
                    fail(f"there is no directory of node {of_node}: apply one first (gateway apply FILE)")
                if cdr:
                    zone = ZoneInfo(time_zone) if time_zone else None
                    return await _import_cdrs(opened, streams, cdr, of_node, known, zone)
                return await _import_events(opened, streams, cel or (), queue_log or (), wanted, of_node, known)

        done = run(work)
        if done.unowned:
            streams.say(f"{done.unowned} {'call belongs' if done.unowned == 1 else 'calls belong'} to no account")
        streams.conclude()
    _print(done, streams.recorded, as_json=as_json)


async def _import_events(
    opened: Connection,
    streams: Streams,
    cel: Sequence[str],
    queue_log: Sequence[str],
    wanted: Format,
    node: str,
    known: DirectoryHistory,
) -> Imported:
    importing = RowImport(opened, node, known)
    for batch in batches(streams.rows(cel, queue_log, wanted)):
        for failure in await importing.take(batch):
            streams.say(failure)
        streams.progress.at(streams.recorded.bytes_read, _so_far(importing.done))
    for failure in await importing.finish():
        streams.say(failure)
    if importing.done.lost:
        streams.say(
            f"{importing.done.lost} of the calls have no end in the files and are lost, unless recorded already; "
            "with the files that follow they would be whole"
        )
    return importing.done


async def _import_cdrs(
    opened: Connection,
    streams: Streams,
    cdr: Sequence[str],
    node: str,
    known: DirectoryHistory,
    zone: tzinfo | None,
) -> Imported:
    until = await history.first_told_by_events(opened, node)
    done = Imported()
    calls = CdrCalls()
    late = 0

    async def write(groups: Sequence[list[CdrRow]]) -> None:
        nonlocal late
        for some in batches(groups, CALLS_A_TRANSACTION):
            # Whole seconds: what began in the second of the first event is that call or later.
            early = [rows for rows in some if until is None or _started(rows) < until // 1_000_000 * 1_000_000]
            late += len(some) - len(early)
            told = [call_of(rows, node, known.at(_started(rows)), to_e164) for rows in early]
            records = [record for record in told if record is not None]
            done.unowned += len(told) - len(records)
            done.written += await ingest.write(opened, records)

    files = [streams.files[name] for name in cdr]
    for batch in batches(_cdrs(streams.recorded, files)):
        zone = zone or _zone_of(batch, await _zones(opened), streams)
        _refuse_other_zone(batch, zone)
        whole: list[list[CdrRow]] = []
        for row in _rows(streams.recorded, batch, zone):
            whole += calls.take(row)
        await write(whole)
        streams.progress.at(streams.recorded.bytes_read, _so_far(done))
    await write(list(calls.finish()))
    if late:
        streams.say(f"{late} calls are of the time of which channel events tell: left to those")
    return done


def _cdrs(recorded: Recorded, files: Sequence[NamedFile]) -> Iterator[Fields]:
    for named in files:
        for record in recorded.records(named, quoted=True):
            try:
                fields = cdr_fields(record.text)
            except ValueError as error:
                recorded.not_read(named, record, str(error))
                continue
            yield named, record.line, fields


def _rows(recorded: Recorded, batch: Sequence[Fields], zone: tzinfo) -> Iterator[CdrRow]:
    for named, line, fields in batch:
        try:
            row = cdr_row(fields, zone)
        except ValueError as error:
            recorded.fault(named, line, str(error))
            continue
        recorded.rows += 1
        yield row


def _started(rows: Sequence[CdrRow]) -> int:
    return min(row.started_at for row in rows)


async def _zones(opened: Connection) -> list[str]:
    found = [await directories.current(opened, account) for account in await directories.accounts(opened)]
    return list(dict.fromkeys(directory.time_zone for directory in found if directory))


def _offsets(batch: Sequence[Fields], zone: tzinfo) -> list[int]:
    found: list[int] = []
    for _, _, fields in batch:
        offset = offset_seconds(fields, zone)
        if offset is not None:
            found.append(offset)
    return found


def _zone_of(batch: Sequence[Fields], accounts: Sequence[str], streams: Streams) -> tzinfo:
    """The zone that the times are in, by the ids of the channels: an account's, or UTC, the sample's choice."""
    for name in accounts:
        offsets = _offsets(batch, ZoneInfo(name))
        if any(map(fits, offsets)) or (not offsets and len(accounts) == 1):
            return ZoneInfo(name)
    if not any(map(fits, _offsets(batch, UTC))):
        fail("the times fit neither the accounts' time zones nor UTC: say --time-zone", 2)
    streams.say("by the ids of the channels, the times are UTC")
    return UTC


def _refuse_other_zone(batch: Sequence[Fields], zone: tzinfo) -> None:
    offsets = _offsets(batch, zone)
    if offsets and not any(map(fits, offsets)):
        named, line, _ = batch[0]
        hours = min(offsets, key=abs) / 3600
        fail(
            f"{named.name}: line {line}: by the ids of the channels, the times are {abs(hours):.1f} hours "
            f"{'behind' if hours < 0 else 'ahead of'} {zone}: say another --time-zone",
            2,
        )


def _so_far(done: Imported) -> str:
    return f"{done.written.added} calls imported, {done.written.kept} there already"


def _print(done: Imported, recorded: Recorded, *, as_json: bool) -> None:
    written = done.written
    if as_json:
        told = {
            "imported": written.added,
            "improved": written.bettered,
            "kept": written.kept,
            "lost": done.lost,
            "unowned": done.unowned,
            "unreadable": recorded.faults,
        }
        print(json.dumps(told))
        return
    print(f"{written.added} imported, {written.bettered} improved, {written.kept} as recorded already")
