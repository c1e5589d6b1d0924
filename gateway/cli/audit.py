"""`gateway audit`: whether files, rows, records and events of a time agree."""

import json
import sys
import time
from typing import Annotated

import typer

from gateway.asterisk.kept_files import KeptFiles
from gateway.cli.period import Node, Shown, Since, Until, period
from gateway.cli.run import connection, fail, known_node, run, settings
from gateway.ingest.auditing import Audit, Audited, Difference
from gateway.node_name import node_name
from gateway.settings import Settings

UNDER_WAY = 10_000_000
"""Microseconds: what was written so shortly ago may be on its way."""


def audit(
    since: Since,
    until: Until,
    node: Node = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare source files, raw rows, records and event log; exit status 0 only if they agree."""
    start, stop = period(since, until)
    stop = min(stop, time.time_ns() // 1000 - UNDER_WAY)
    if start >= stop:
        fail("--from: what is compared ends ten seconds ago, as what came since may be on its way", 2)
    shown = Shown()
    chosen = settings()
    differences: list[Difference] = []

    def on_difference(difference: Difference) -> None:
        if as_json:
            differences.append(difference)
            return
        shown.clear()
        who = f"account {difference.account}: " if difference.account else ""
        call = f"call {difference.call}: " if difference.call else ""
        print(f"{difference.kind}: {who}{call}{difference.text}")

    async def work() -> Audited:
        async with connection(migrated=True) as opened:
            own_node = node_name(chosen)
            of_node = await known_node(opened, node, own_node)
            files = kept_files(chosen) if of_node == own_node else KeptFiles()
            auditing = Audit(opened, of_node, start, stop, files, on_difference=on_difference, on_progress=shown.at)
            return await auditing.run()

    done = run(work)
    shown.clear()
    if as_json:
        told = done.as_json()
        del told["examples"]
        print(json.dumps(told | {"found": [one.as_json() for one in differences]}))
    else:
        for name, count in done.counts.items():
            print(f"{name.replace('_', ' ')}: {count}")
        if done.compared_from > done.since:
            print(f"raw rows are kept from {done.as_json()['compared_from']} on: what is older was compared less")
        print("they agree" if done.agrees else f"{done.differences.total()} differences", file=sys.stdout)
    if not done.agrees:
        raise typer.Exit(1)


def kept_files(chosen: Settings) -> KeptFiles:
    """Those of the settings."""
    if chosen.cel_journal:
        return KeptFiles(chosen.cel_journal, chosen.queue_log)
    return KeptFiles(spool=chosen.spool_dir)
