"""Directories as they were read last: a version never changes, so that it is read and understood once."""

from collections import OrderedDict

from gateway.calls.directory import Directory
from gateway.store import directories
from gateway.store.connection import Pool
from gateway.store.directories import DirectoryVersion

MOST_ACCOUNTS = 64


class ReadDirectories:
    """One version an account; bounded, those not asked for the longest go first."""

    def __init__(self) -> None:
        self._read: OrderedDict[str, tuple[DirectoryVersion, Directory]] = OrderedDict()

    async def of(self, pool: Pool, version: DirectoryVersion) -> Directory | None:
        """None where the database no longer has that version."""
        known, directory = self._read.get(version.account, (None, None))
        if known != version:
            directory = await directories.of_version(pool, version)
        if directory is not None:
            self._read[version.account] = (version, directory)
            self._read.move_to_end(version.account)
            if len(self._read) > MOST_ACCOUNTS:
                self._read.popitem(last=False)
        return directory
