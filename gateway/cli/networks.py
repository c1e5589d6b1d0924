"""`gateway networks allow | list | remove`: the allow-list."""

from typing import Annotated, Any

import typer

from gateway.cli.run import Wrong, connection, fail, known, line, run, show, transaction
from gateway.store import audit, networks

app = typer.Typer(no_args_is_help=True, help="From where an account's keys may be used.")
Account = Annotated[str, typer.Option(help="The account's identifier.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cidr = Annotated[str, typer.Argument(metavar="CIDR", help="An address or a network, IPv4 or IPv6.")]


def _network(text: str) -> networks.Network:
    try:
        return networks.parse_network(text)
    except ValueError:
        raise Wrong(f"{text!r} is neither an address nor a network") from None


@app.command()
def allow(cidr: Cidr, account: Account, note: Annotated[str, typer.Option()] = "", as_json: Json = False) -> None:
    """Let a network in."""

    async def work() -> networks.AllowedNetwork:
        network = _network(cidr)
        line("--note", note, least=0)
        async with transaction() as opened:
            if await networks.allow(opened, await known(opened, account), network, note):
                await audit.record(opened, account, "cli", "network.allowed", str(network), None, {"note": note})
            present = await networks.list_networks(opened, account)
            return next(one for one in present if one.network == network)

    allowed = run(work)
    if as_json:
        show([_row(allowed)], as_json=True)


@app.command("list")
def list_(account: Annotated[str | None, typer.Option()] = None, as_json: Json = False) -> None:
    """The networks that are let in."""

    async def work() -> list[networks.AllowedNetwork]:
        async with connection() as opened:
            return await networks.list_networks(opened, account and await known(opened, account))

    show([_row(one) for one in run(work)], as_json=as_json)


def _row(one: networks.AllowedNetwork) -> dict[str, Any]:
    return {"account": one.account, "network": str(one.network), "note": one.note, "created_at": one.created_at}


@app.command()
def remove(cidr: Cidr, account: Account, as_json: Json = False) -> None:
    """Let a network in no more."""

    async def work() -> networks.AllowedNetwork | None:
        network = _network(cidr)
        async with transaction() as opened:
            present = await networks.list_networks(opened, await known(opened, account))
            if not await networks.remove(opened, account, network):
                return None
            await audit.record(opened, account, "cli", "network.removed", str(network))
            return next((one for one in present if one.network == network), None)

    removed = run(work)
    if removed is None:
        fail(f"{cidr} is not on the allow-list of account {account}")
    if as_json:
        show([_row(removed)], as_json=True)
