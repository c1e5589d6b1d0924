"""Finds an Asterisk to run: the installed one, if it is 20 or newer, else a small Debian root with 22.

The root is made once with mmdebstrap and kept in the cache directory, outside the work tree.
Run as `python -m tests.lab.root` to make it and to see where it is.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

OLDEST = 20
SUITE = "sid"
PACKAGES = Path(__file__).resolve().parents[2] / "docker/asterisk/packages"
BUILD_SECONDS = 900
GIVE_UP_SECONDS = 30


class NoAsterisk(Exception):
    """There is no Asterisk, and none could be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Asterisk:
    """Where Asterisk is: `root` is the directory to change root to, None for the machine's own."""

    root: Path | None
    version: str

    def command(self, *arguments: str) -> list[str]:
        prefix = ["chroot", str(self.root)] if self.root else []
        return [*prefix, "asterisk", *arguments]

    def inside(self, path: Path) -> str:
        """`path` as Asterisk sees it."""
        return "/" + str(path.relative_to(self.root)) if self.root else str(path)


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "asterisk-gateway"


def find() -> Asterisk:
    """The Asterisk to use; made if need be, with progress on standard output.

    Raises:
        NoAsterisk
    """
    if shutil.which("asterisk"):
        version = _version(["asterisk", "-V"])
        if version and int(version.split(".")[0]) >= OLDEST:
            return Asterisk(None, version)
    root = cache() / f"asterisk-{SUITE}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _make(root)
    version = _version(["chroot", str(root), "asterisk", "-V"])
    if version is None:
        raise NoAsterisk(f"the Asterisk below {root} does not run: remove that directory and try again")
    return Asterisk(root, version)


def _make(root: Path) -> None:
    if os.geteuid() != 0:
        raise NoAsterisk("no Asterisk 20 or newer is installed, and making one needs root")
    if not shutil.which("mmdebstrap"):
        raise NoAsterisk("mmdebstrap is missing: apt-get install mmdebstrap")
    print(f"making a root with Asterisk from Debian {SUITE}, once; about a minute", flush=True)
    for abandoned in root.parent.glob(f"{root.name}.*.partial"):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial = root.with_name(f"{root.name}.{os.getpid()}.partial")
    log = root.with_name(f"{root.name}.log")
    options = ('Acquire::Check-Valid-Until "false"', 'Acquire::Check-Date "false"', 'APT::Install-Recommends "false"')
    command = ["mmdebstrap", "--variant=apt", "--mode=root", *(f"--aptopt={option}" for option in options)]
    try:
        with log.open("wb") as output:
            _to_its_end([*command, f"--include={','.join(PACKAGES.read_text().split())}", SUITE, str(partial)], output)
        # Else each channel would wait seconds for a name server that cannot be reached.
        (partial / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {socket.gethostname()}\n")
        (partial / "etc/resolv.conf").unlink(missing_ok=True)
        (partial / "etc/resolv.conf").write_text("")
        partial.rename(root)
    except (subprocess.SubprocessError, OSError) as error:
        raise NoAsterisk(f"no root with Asterisk could be made ({error}); see {log}") from error
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)


def _to_its_end(command: list[str], output: BinaryIO) -> None:
    """Run it in a group of its own, none of which is left writing when this is interrupted.

    Raises:
        subprocess.SubprocessError: it failed, or took longer than BUILD_SECONDS.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        status = process.wait(BUILD_SECONDS)
    except BaseException:
        # It ends its children, unmounts what it mounted, and goes.
        for number, seconds in ((signal.SIGTERM, GIVE_UP_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, number)
                process.wait(seconds)
        raise
    if status != 0:
        raise subprocess.CalledProcessError(status, command[0])


def _version(command: list[str]) -> str | None:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return None
    match = re.search(r"Asterisk (\d+\.\d+[\d.]*)", said)
    return match[1] if match else None


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find()
    except NoAsterisk as error:
        sys.exit(f"Asterisk cannot be had: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"Asterisk {found.version}" + (f" below {found.root}" if found.root else ""))
