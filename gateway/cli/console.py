"""`gateway console login`: who may sign in to the Integration/API page."""

import secrets
from typing import Annotated

import typer

from gateway.cli.run import known, line, run, show, transaction
from gateway.store import audit, console

MOST_CHARACTERS = 200
"""The console's page takes no more."""

app = typer.Typer(no_args_is_help=True, help="Who may sign in to the console.")


@app.callback()
def group() -> None:
    """Keeps `login` a command of its own, whatever joins it."""


@app.command()
def login(
    account: Annotated[str, typer.Option(help="The account's identifier.")],
    name: Annotated[str, typer.Option("--login", help="What to sign in as.")] = "admin",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but the password.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Give a login a new password, and print it. It is shown this once."""
    password = secrets.token_urlsafe(15)

    async def work() -> None:
        line("--login", name, most=MOST_CHARACTERS)
        async with transaction() as opened:
            await console.set_login(opened, await known(opened, account), name, password)
            await audit.record(opened, account, "cli", "login.set", name)

    run(work)
    if as_json:
        show([{"account": account, "login": name, "password": password}], as_json=True)
        return
    print(password if quiet else f"login {name}, password {password}")
