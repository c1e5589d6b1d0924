"""The commands that are not in a group."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import audit, audit_log, console, gaps, importing, keys, networks, rebuild, replay
from gateway.cli.run import connection, fail, run, settings
from gateway.directory_file import DirectoryFaults, read
from gateway.settings import SettingsError, refuse_files_that_cannot_be
from gateway.store import audit as audit_entries
from gateway.store import directories, settled
from gateway.store.migrations import migrate as bring_up_to_date

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # They show what is in memory.
    help="A telephony gateway beside Asterisk.",
)
app.add_typer(keys.app, name="keys")
app.add_typer(networks.app, name="networks")
app.add_typer(console.app, name="console")
app.add_typer(gaps.app, name="gaps")
MOST_NOTED = 500
"""Changes of a directory that its entry in the audit log holds."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def serve(only: Annotated[str, typer.Option(help="Roles, between commas: api,listen,dispatch.")] = "") -> None:
    """Run the service; all roles in one process unless told otherwise."""
    from gateway import serve as service  # No other command needs it, and it takes a second.

    roles = [role.strip() for role in only.split(",") if role.strip()] or list(service.ROLES)
    for role in roles:
        if role not in service.ROLES:
            fail(f"--only: there is no role {role!r}; the roles are {', '.join(service.ROLES)}", 2)
    chosen = settings()
    if "listen" in roles and not chosen.ami_url:
        fail("GATEWAY_AMI_URL is not set: ami://user:secret@host:port says where Asterisk is", 2)
    if "listen" in roles:
        try:
            refuse_files_that_cannot_be(chosen)
        except SettingsError as error:
            fail(str(error), 2)
    run(lambda: service.serve(chosen, roles))


@app.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database up to date."""

    async def work() -> list[str]:
        async with connection() as opened:
            return await bring_up_to_date(opened)

    applied = run(work)
    if as_json:
        print(json.dumps({"applied": applied}))
    else:
        print("\n".join(f"applied {name}" for name in applied) or "up to date")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A directory: YAML.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make a file the directory of its account: all of it, or nothing."""
    try:
        directory = read(file)
    except DirectoryFaults as error:
        for fault in error.faults:
            typer.echo(f"gateway: {file}: {fault}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{file}: {error.strerror}")

    async def work() -> directories.Plan:
        async with connection(migrated=True) as opened:
            if dry_run:
                return await directories.plan(opened, directory)
            async with opened.transaction():
                done = await directories.apply(opened, directory)
                if done.changes:
                    details = {"changes": done.changes[:MOST_NOTED], "more": max(0, len(done.changes) - MOST_NOTED)}
                    await audit_entries.record(
                        opened, directory.account, "cli", "directory.applied", file.name, None, details
                    )
                return done

    planned = run(work)
    if as_json:
        print(json.dumps({"account": directory.account, "applied": not dry_run, "changes": planned.changes}))
        return
    print("\n".join(planned.changes) or "nothing changes")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the service answers, what is in the database, and how far the source was read."""

    async def work() -> dict[str, Any]:
        async with connection() as opened:
            accounts = await opened.fetch(
                """
                select a.id, a.name, a.last_sequence,
                       (select count(*) from calls c where c.account_id = a.id and c.state <> 'ended') as open_calls,
                       (select count(*) from calls c where c.account_id = a.id and c.state = 'ended') as calls
                from accounts a order by a.id
                """
            )
            nodes = await opened.fetch(
                f"select n.node, n.last_seq as rows, n.unowned_calls, n.gap_at, "
                f"{settled.SETTLED_UNTIL} as settled_until, "
                f"{settled.LAG} as lag from nodes n order by n.node"
            )
            positions = await opened.fetch(
                "select node, stream, file_id, byte_offset, updated_at from source_positions order by node, stream"
            )
            leases = await opened.fetch(
                """
                select node, epoch, host, pid, taken_at, expires_at > clock_timestamp() as held
                from leases order by node
                """
            )
            audits = await opened.fetch(
                "select distinct on (node) node, made_at, since, until, agrees, document -> 'differences' as found"
                " from audits order by node, made_at desc"
            )
            return {
                "services": [await _service(*settings().listen_address)],
                "accounts": [dict(record) for record in accounts],
                "nodes": [dict(record) for record in nodes],
                "positions": [dict(record) for record in positions],
                "audits": [dict(record) | {"found": json.loads(record["found"])} for record in audits],
                "leases": [dict(record) for record in leases],
            }

    found = run(work)
    if as_json:
        print(json.dumps(found, default=str))
        return
    for title, rows in found.items():
        for row in rows:
            print(title.removesuffix("s") + "  " + "  ".join(f"{name}={value}" for name, value in row.items()))


app.command()(replay.replay)
app.command("import")(importing.import_)
app.command()(rebuild.rebuild)
app.command()(audit.audit)
app.command("audit-log")(audit_log.audit_log)


async def _service(host: str, port: int) -> dict[str, Any]:
    """What `/readyz` of the service at its address says; `down` if nobody answers there."""
    import httpx

    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    url = httpx.URL(scheme="http", host=reached, port=port)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=3, trust_env=False) as client:
            told = (await client.get("/readyz")).json()
    except (httpx.HTTPError, ValueError):
        return {"url": str(url), "status": "down"}
    return {"url": str(url), **told} if isinstance(told, dict) else {"url": str(url), "status": "another's"}


def main() -> None:
    """What is wrong with the words of a command is one line as well."""
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = 130
    except Exception as error:
        # The parser's errors, whose class Typer does not name.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        if message():  # None where all there was to show is the help.
            print(f"gateway: {message()}" if "\n" not in message() else message(), file=sys.stderr)
        status = 2
    sys.exit(status)
