"""One Asterisk with the demo PBX or the foreign one, in a directory and on a loopback address of its own."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

from tests.lab.processes import before_others, finished
from tests.lab.root import Asterisk, find

PROJECT = Path(__file__).resolve().parent.parent.parent
CONFIGURATION = PROJECT / "asterisk-conf"
CONFIGURE = PROJECT / "docker/asterisk/configure.sh"
FOREIGN = PROJECT / "tests/lab/foreign-pbx"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
SECRET = "demo-pbx"

Pbx: TypeAlias = Literal["demo", "foreign"]
"""The demo PBX, or the same people on one whose dialplan nobody wrote with the gateway in mind."""
PBXES: tuple[Pbx, ...] = ("demo", "foreign")


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def own_addresses(count: int) -> list[str]:
    """Loopback addresses that nobody else here is likely to use: identify and media go by address."""
    third = secrets.randbelow(250) + 2
    second = secrets.randbelow(250) + 2
    return [f"127.{second}.{third}.{last}" for last in range(1, count + 1)]


class AsteriskInstance:
    """`async with AsteriskInstance() as pbx:` runs until the block ends; nothing of it stays.

    `sip_address`: where phones register (port 5060, UDP); `trunk_address`: from where the carrier's
    calls must come, and where calls to the outside go; `phone_addresses`: for phones.
    """

    def __init__(self, *, ring_seconds: int = 8, pbx: Pbx = "demo") -> None:
        self.pbx = pbx
        self.sip_address, self.trunk_address, *self.phone_addresses = own_addresses(60)
        self.ami_port = free_port()
        self.ami_secret = secrets.token_hex(8)
        self._ring_seconds = ring_seconds
        self._asterisk: Asterisk | None = None
        self._directory: Path | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def version(self) -> str:
        assert self._asterisk is not None, "not started"
        return self._asterisk.version

    @property
    def directory(self) -> Path:
        assert self._directory is not None, "not started"
        return self._directory

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def inside(self, path: Path) -> str:
        """`path` as Asterisk sees it."""
        assert self._asterisk is not None, "not started"
        return self._asterisk.inside(path)

    @property
    def ami_url(self) -> str:
        return f"ami://gateway:{self.ami_secret}@127.0.0.1:{self.ami_port}"

    @property
    def operator_url(self) -> str:
        """For whoever plays the operator: this user may do everything."""
        return f"ami://lab:{self.ami_secret}@127.0.0.1:{self.ami_port}"

    @property
    def cel_journal(self) -> Path:
        return self.directory / "log/cel-custom/Master.csv"

    @property
    def queue_log(self) -> Path:
        return self.directory / "log/queue_log"

    @property
    def log(self) -> str:
        path = self.directory / "log/full"
        return path.read_text(errors="replace") if path.exists() else ""

    async def __aenter__(self) -> Self:
        self._asterisk = await asyncio.to_thread(find)
        base = self._asterisk.root / "tmp" if self._asterisk.root else None
        self._directory = Path(tempfile.mkdtemp(prefix="gateway-pbx-", dir=base))
        try:
            self._configure()
            await self.start()
        except BaseException:
            await self._clean_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._clean_up()

    def _configure(self) -> None:
        assert self._asterisk is not None
        values = {
            "DIRECTORY": self._asterisk.inside(self.directory),
            "SIP_ADDRESS": self.sip_address,
            "TRUNK_ADDRESS": self.trunk_address,
            "SIP_SECRET": SECRET,
            "AMI_PORT": str(self.ami_port),
            "AMI_SECRET": self.ami_secret,
            "RING_SECONDS": str(self._ring_seconds),
        }
        more = [FOREIGN] if self.pbx == "foreign" else []
        subprocess.run(
            ["bash", CONFIGURE, CONFIGURATION, self.directory, *more],
            env=os.environ | values,
            check=True,
            start_new_session=True,  # Ctrl-C is for whoever runs this: half a configuration is no error of its own.
        )
        with (self.directory / "etc/manager.conf").open("a") as manager:
            manager.write(f"\n[lab]\nsecret = {self.ami_secret}\nread = all\nwrite = all\n")

    async def start(self) -> None:
        """Start Asterisk and wait until it has booted and AMI greets."""
        assert self._asterisk is not None
        configuration = self._asterisk.inside(self.directory / "etc/asterisk.conf")
        self._process = await asyncio.create_subprocess_exec(
            *self._asterisk.command("-f", "-C", configuration),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=before_others,
            start_new_session=True,
        )
        async with asyncio.timeout(START_SECONDS):
            while not await self._booted():
                if self._process.returncode is not None:
                    raise RuntimeError(
                        f"Asterisk ended at once, status {self._process.returncode}:\n{self.log[-3000:]}"
                    )
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """As a crash: SIGKILL, by pid."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """`core stop now`'s signal: calls are ended, their rows written."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def command(self, text: str) -> str:
        """What Asterisk's own console answers to `text`."""
        assert self._asterisk is not None
        configuration = self._asterisk.inside(self.directory / "etc/asterisk.conf")
        done = await finished(*self._asterisk.command("-C", configuration, "-r", "-x", text))
        return done.output + done.errors

    async def _booted(self) -> bool:
        if not (self.directory / "run/asterisk.ctl").exists():
            return False
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ami_port)
        except OSError:
            return False
        writer.close()
        return "Asterisk has fully booted" in await self.command("core waitfullybooted")

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        os.kill(process.pid, how)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _clean_up(self) -> None:
        await self._end(signal.SIGTERM)
        shutil.rmtree(self.directory, ignore_errors=True)
