"""`gateway keys create | list | revoke`."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from gateway.api import moments
from gateway.cli.run import Wrong, connection, fail, known, line, run, show, transaction
from gateway.store import audit, keys

app = typer.Typer(no_args_is_help=True, help="API keys of an account.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    account: Annotated[str, typer.Option(help="The account's identifier.")],
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[list[str] | None, typer.Option(help="May be repeated; all but admin where none is given.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="A day in UTC (2027-01-31: it works until that day is over), or an instant.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but the key.")] = False,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown this once."""

    async def work() -> tuple[str, keys.ApiKey]:
        line("--name", name)
        scopes = _scopes(scope or [one for one in keys.SCOPES if one != "admin"])
        expires_at = _moment(expires)
        async with transaction() as opened:
            key = await keys.create(opened, await known(opened, account), name, scopes, expires_at)
            made = await keys.made(opened, key)
            details = {"name": name, "scopes": scopes, "expires_at": expires_at and str(expires_at)}
            await audit.record(opened, account, "cli", "key.created", made.id, None, details)
            return key, made

    key, made = run(work)
    if as_json:
        show([{"key": key, **_row(made)}], as_json=True)
    elif quiet:
        print(key)
    else:
        print(f"{key}\nThis key is shown once. It works from the account's allowed networks only.")


@app.command("list")
def list_(account: Annotated[str | None, typer.Option()] = None, as_json: Json = False) -> None:
    """The keys, without their secrets."""

    async def work() -> list[keys.ApiKey]:
        async with connection() as opened:
            return await keys.list_keys(opened, account and await known(opened, account))

    show([_row(key) for key in run(work)], as_json=as_json)


def _row(key: keys.ApiKey) -> dict[str, Any]:
    return {
        "account": key.account,
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "last_used_ip": key.last_used_ip,
    }


def _scopes(named: list[str]) -> list[str]:
    """Each once, in their usual order."""
    for one in named:
        if one not in keys.SCOPES:
            raise Wrong(f"there is no scope {one!r}; the scopes are {', '.join(keys.SCOPES)}")
    return [one for one in keys.SCOPES if one in named]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = moments.end(text, ZoneInfo("UTC"))
    except moments.Unreadable as error:
        raise Wrong(f"--expires: {error}") from None
    if moment <= datetime.now(UTC):
        raise Wrong(f"--expires: {text} is over")
    return moment


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Make a key worthless, everywhere, within a second."""

    async def work() -> keys.ApiKey | None:
        async with transaction() as opened:
            if not await keys.revoke(opened, key_id):
                return None
            record = await opened.fetchrow("select * from api_keys where id = $1", key_id)
            assert record is not None
            revoked = keys.from_record(record)
            await audit.record(opened, revoked.account, "cli", "key.revoked", key_id)
            return revoked

    revoked = run(work)
    if revoked is None:
        fail(f"there is no key {key_id!r} that could be revoked")
    if as_json:
        show([_row(revoked)], as_json=True)
