"""`gateway rebuild`: calls folded again with today's rules."""

import json
import sys
from typing import Annotated

import typer

from gateway.cli.period import Node, Shown, Since, Until, period
from gateway.cli.run import connection, known_node, run, settings
from gateway.ingest import rebuild as rebuilding
from gateway.ingest.refold import Refolded
from gateway.node_name import node_name
from gateway.store.amended import Amended


def rebuild(
    since: Since,
    until: Until,
    node: Node = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fold the calls that began in a time again, with today's rules; tell of each that changes."""
    start, stop = period(since, until)
    shown = Shown()

    def on_progress(folded: Refolded, done: Amended) -> None:
        for failure in folded.failures:
            shown.clear()
            print(f"gateway: {failure}", file=sys.stderr)
        shown.at(folded.rows, folded.of, f"{done.compared} calls, {done.changed} amended")

    async def work() -> Amended:
        async with connection(migrated=True) as opened:
            of_node = await known_node(opened, node, node_name(settings()))
            return await rebuilding.rebuild(opened, of_node, start, stop, on_progress=on_progress)

    done = run(work)
    shown.clear()
    if as_json:
        print(json.dumps({"compared": done.compared, "amended": done.changed, "kinds": done.kinds}))
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(done.kinds.items()))
    print(f"{done.compared} calls compared, {done.changed} amended" + (f": {kinds}" if kinds else ""))
