"""The account's allow-list. Who may change it here comes from an address that is on it already."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Caller
from gateway.api.bodies import Printable, read_body
from gateway.api.context import context_of
from gateway.api.problems import Problem, not_found
from gateway.calls.instant import datetime_text
from gateway.store import audit, networks

MOST_NETWORKS = 1000


def _network(text: str) -> str:
    try:
        networks.parse_network(text)
    except ValueError:
        raise PydanticCustomError("not_a_network", "Neither an address nor a network.") from None
    return text


class NewNetwork(BaseModel):
    """The body of `POST /v1/allowed-networks`: an address or CIDR, IPv4 or IPv6."""

    model_config = ConfigDict(extra="forbid", strict=True)

    network: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_network)]
    note: Annotated[str, StringConstraints(max_length=255), Printable] = ""


async def list_networks(request: Request, caller: Caller) -> Response:
    """`GET /v1/allowed-networks`."""
    found = await networks.list_networks(context_of(request).pool, caller.account)
    return JSONResponse({"data": [_document(one) for one in found]})


async def allow_network(request: Request, caller: Caller) -> Response:
    """`POST /v1/allowed-networks`: 201, or 200 where the network was on the list and stays as it was."""
    wanted = await read_body(request, NewNetwork)
    network = networks.parse_network(wanted.network)
    async with context_of(request).pool.acquire() as connection, connection.transaction():
        present = await networks.list_networks(connection, caller.account)
        if len(present) >= MOST_NETWORKS and all(one.network != network for one in present):
            raise Problem(409, "too_many_networks", f"The list holds {MOST_NETWORKS} networks: remove some.")
        new = await networks.allow(connection, caller.account, network, wanted.note)
        if new:
            details = {"note": wanted.note}
            await audit.record(
                connection, caller.account, caller.actor, "network.allowed", str(network), caller.ip, details
            )
        present = await networks.list_networks(connection, caller.account)
    return JSONResponse(
        next(_document(one) for one in present if one.network == network),
        201 if new else 200,
        {"Location": f"/v1/allowed-networks/{network}"},
    )


async def remove_network(request: Request, caller: Caller) -> Response:
    """`DELETE /v1/allowed-networks/{network}`: with the slash as it is, or encoded."""
    try:
        network = networks.parse_network(request.path_params["network"])
    except ValueError:
        raise not_found() from None
    async with context_of(request).pool.acquire() as connection, connection.transaction():
        if not await networks.remove(connection, caller.account, network):
            raise not_found()
        await audit.record(connection, caller.account, caller.actor, "network.removed", str(network), caller.ip)
    return Response(status_code=204)


def _document(network: networks.AllowedNetwork) -> dict[str, object]:
    return {
        "network": str(network.network),
        "note": network.note,
        "created_at": datetime_text(network.created_at),
    }
