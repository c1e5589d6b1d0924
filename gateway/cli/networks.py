"""`gateway networks allow | list | remove`: the allow-list."""

from typing import Annotated

import typer

from gateway.cli.run import Wrong, connection, fail, known, run, show, transaction
from gateway.store import audit, networks

app = typer.Typer(no_args_is_help=True, help="From where an account's keys may be used.")
Account = Annotated[str, typer.Option(help="The account's identifier.")]
Cidr = Annotated[str, typer.Argument(metavar="CIDR", help="An address or a network, IPv4 or IPv6.")]


def _network(text: str) -> networks.Network:
    try:
        return networks.parse_network(text)
    except ValueError:
        raise Wrong(f"{text!r} is neither an address nor a network") from None


@app.command()
def allow(cidr: Cidr, account: Account, note: Annotated[str, typer.Option()] = "") -> None:
    """Let a network in."""

    async def work() -> None:
        network = _network(cidr)
        async with transaction() as opened:
            if await networks.allow(opened, await known(opened, account), network, note):
                await audit.record(opened, account, "cli", "network.allowed", str(network), None, {"note": note})

    run(work)


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option()] = None, as_json: Annotated[bool, typer.Option("--json")] = False
) -> None:
    """The networks that are let in."""

    async def work() -> list[networks.AllowedNetwork]:
        async with connection() as opened:
            return await networks.list_networks(opened, account)

    rows = [
        {"account": one.account, "network": str(one.network), "note": one.note, "created_at": one.created_at}
        for one in run(work)
    ]
    show(rows, as_json=as_json)


@app.command()
def remove(cidr: Cidr, account: Account) -> None:
    """Let a network in no more."""

    async def work() -> bool:
        network = _network(cidr)
        async with transaction() as opened:
            done = await networks.remove(opened, account, network)
            if done:
                await audit.record(opened, account, "cli", "network.removed", str(network))
            return done

    if not run(work):
        fail(f"{cidr} is not on the allow-list of account {account}")
