"""`gateway gaps list | accept`: times of which rows were missed."""

from typing import Annotated

import typer

from gateway.cli.run import connection, known_node, run, show, transaction
from gateway.store import audit, settled

app = typer.Typer(no_args_is_help=True, help="Times of which channel events were missed.")
Node = Annotated[str, typer.Option(help="Only of this node.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The youngest gap of each node, unless it was accepted: until then nothing is told to be settled."""

    async def work() -> list[settled.GapAt]:
        async with connection() as opened:
            return await settled.gaps(opened)

    show([{"node": gap.node, "gap_at": gap.at} for gap in run(work)], as_json=as_json)


@app.command()
def accept(node: Node = "", as_json: Json = False) -> None:
    """Take the records as they are: what was missed will not come. On the audit log of each account."""

    async def work() -> list[settled.GapAt]:
        async with transaction() as opened:
            await known_node(opened, node, "")
            accepted = []
            for gap in await settled.gaps(opened):
                accounts = await settled.accept(opened, gap) if node in ("", gap.node) else None
                if accounts is None:
                    continue
                accepted.append(gap)
                for account in accounts:
                    await audit.record(opened, account, "cli", "gap.accepted", gap.node, None, {"at": str(gap.at)})
            return accepted

    show([{"node": gap.node, "gap_at": gap.at} for gap in run(work)], as_json=as_json)
