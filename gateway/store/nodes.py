"""The nodes of which something is recorded."""

from gateway.store.connection import Connection


async def names(connection: Connection) -> list[str]:
    """Of those whose source was read."""
    return [record["node"] for record in await connection.fetch("select node from nodes order by node")]


async def is_known(connection: Connection, node: str) -> bool:
    """Whether anything of it is recorded; it may all be imported, which takes long to find out that it is not."""
    return bool(
        await connection.fetchval(
            "select exists (select from nodes where node = $1) or exists (select from calls where node = $1)", node
        )
    )
