"""The directory of the account that asks."""

from gateway.api.auth import Caller
from gateway.api.context import ApiContext
from gateway.api.problems import Problem
from gateway.calls.directory import Directory
from gateway.store import directories


async def directory_of(context: ApiContext, caller: Caller) -> Directory:
    """As it is, or was when the caller was let in by this request.

    Raises: Problem 409.
    """
    version = caller.directory or await directories.version_of(context.pool, caller.account)
    directory = None if version is None else await context.directories.of(context.pool, version)
    if directory is None:
        raise Problem(409, "no_directory", "No directory was applied for this account yet.")
    return directory
