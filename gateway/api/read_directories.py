"""Directories as they were read last: a version never changes, so that it is read and understood once."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.api.who import KnownGroups, KnownUsers
from gateway.calls.directory import Directory
from gateway.store import directories
from gateway.store.connection import Connection, Pool
from gateway.store.directories import DirectoryVersion

MOST_ACCOUNTS = 64


@dataclass(frozen=True, slots=True)
class ReadDirectory:
    """Beside the directory everyone, and every group, that the account has or had; only a new version changes it."""

    directory: Directory
    users: KnownUsers
    queues: KnownGroups
    ring_groups: KnownGroups


class ReadDirectories:
    """One version an account; bounded, those not asked for the longest go first."""

    def __init__(self) -> None:
        self._read: OrderedDict[str, tuple[DirectoryVersion, ReadDirectory]] = OrderedDict()

    async def of(self, connection: Connection | Pool, version: DirectoryVersion) -> ReadDirectory | None:
        """None where the database no longer has that version."""
        known, found = self._read.get(version.account, (None, None))
        if known != version:
            found = await _read(connection, version)
        if found is not None:
            self._read[version.account] = (version, found)
            self._read.move_to_end(version.account)
            if len(self._read) > MOST_ACCOUNTS:
                self._read.popitem(last=False)
        return found


async def _read(connection: Connection | Pool, version: DirectoryVersion) -> ReadDirectory | None:
    directory = await directories.of_version(connection, version)
    if directory is None:
        return None
    users = KnownUsers(await directories.users_ever(connection, version.account))
    queues, ring_groups = await directories.known_groups(connection, version)
    return ReadDirectory(directory, users, KnownGroups("queue", queues), KnownGroups("ring_group", ring_groups))
