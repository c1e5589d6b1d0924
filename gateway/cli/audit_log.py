"""`gateway audit-log`: what was made, changed and refused on an account."""

from typing import Annotated

import typer

from gateway.cli.run import connection, known, run, show
from gateway.store import audit


def audit_log(
    account: Annotated[str, typer.Option(help="The account's identifier.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many entries.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What was made, changed and refused on an account, youngest first."""

    async def work() -> list[audit.Entry]:
        async with connection() as opened:
            return await audit.newest(opened, await known(opened, account), limit)

    rows = [
        {
            "id": entry.id,
            "at": entry.at,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "ip": entry.ip,
            "details": dict(entry.details),
        }
        for entry in run(work)
    ]
    show(rows, as_json=as_json)
