"""How far a node's source files were read: committed with what was made of the rows."""

from collections.abc import Mapping

from gateway.asterisk.source import Position
from gateway.store.connection import Connection


async def load(connection: Connection, node: str) -> dict[str, Position]:
    """By stream: `spool`, or `journal` and `queue_log`."""
    records = await connection.fetch("select stream, file_id, byte_offset from source_positions where node = $1", node)
    return {record["stream"]: Position(record["file_id"], record["byte_offset"]) for record in records}


async def newest_stream(connection: Connection, node: str) -> str | None:
    """From which the node's rows came last."""
    stream: str | None = await connection.fetchval(
        "select stream from source_positions where node = $1 order by updated_at desc, stream limit 1", node
    )
    return stream


async def save(connection: Connection, node: str, positions: Mapping[str, Position]) -> None:
    await connection.executemany(
        """
        insert into source_positions (node, stream, file_id, byte_offset) values ($1, $2, $3, $4)
        on conflict (node, stream) do update
        set file_id = excluded.file_id, byte_offset = excluded.byte_offset, updated_at = now()
        """,
        [(node, stream, position.file_id, position.byte_offset) for stream, position in positions.items()],
    )
