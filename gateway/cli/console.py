"""`gateway console login`: who may sign in to the Integration/API page."""

import secrets
from typing import Annotated

import typer

from gateway.cli.run import known, run, transaction
from gateway.store import audit, console

app = typer.Typer(no_args_is_help=True, help="Who may sign in to the console.")


@app.callback()
def group() -> None:
    """Keeps `login` a command of its own, whatever joins it."""


@app.command()
def login(
    account: Annotated[str, typer.Option(help="The account's identifier.")],
    name: Annotated[str, typer.Option("--login", help="What to sign in as.")] = "admin",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but the password.")] = False,
) -> None:
    """Give a login a new password, and print it. It is shown this once."""
    password = secrets.token_urlsafe(15)

    async def work() -> None:
        async with transaction() as opened:
            await console.set_login(opened, await known(opened, account), name, password)
            await audit.record(opened, account, "cli", "login.set", name)

    run(work)
    print(password if quiet else f"login {name}, password {password}")
