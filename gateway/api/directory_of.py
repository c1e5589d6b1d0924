"""The directory of the account that asks."""

from gateway.api.auth import Caller
from gateway.api.context import ApiContext
from gateway.api.problems import Problem
from gateway.api.read_directories import ReadDirectory
from gateway.calls.directory import Directory
from gateway.store import directories
from gateway.store.connection import Connection, Pool
from gateway.store.directories import DirectoryVersion


async def directory_of(context: ApiContext, caller: Caller) -> Directory:
    """As it is, or was when the caller was let in by this request.

    Raises: Problem 409.
    """
    version = caller.directory or await directories.version_of(context.pool, caller.account)
    return (await in_version(context, context.pool, version)).directory


async def in_version(
    context: ApiContext, connection: Connection | Pool, version: DirectoryVersion | None
) -> ReadDirectory:
    """The directory of an account of which this is the version now.

    Raises: Problem 409.
    """
    found = None if version is None else await context.directories.of(connection, version)
    if found is None:
        raise Problem(409, "no_directory", "No directory was applied for this account yet.")
    return found
