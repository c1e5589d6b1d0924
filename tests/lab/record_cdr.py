"""Plays scenarios on a real Asterisk that writes CDRs too, as its own sample configures them.

    python -m tests.lab.record_cdr

`tests/cdr/` then holds what that Asterisk wrote of them all: `Master.csv` of cdr_csv, and of the same
calls `journal.csv` of cel_custom and `queue_log`; `expected.json`, by scenario, what they were.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gateway.asterisk.ami import AmiSession
from tests.lab.asterisk import PROJECT, AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import carrier, device
from tests.lab.record import RING_SECONDS, until
from tests.lab.scenarios import PLAYED_ON
from tests.lab.scenarios.model import DEVICES, Lab, silence

PLACE = PROJECT / "tests/cdr"
SAMPLE = "[general]\nenable = yes\n[csv]\nusegmtime = yes\nloguniqueid = yes\nloguserfield = yes\naccountlogs = no\n"
PLAYED = (
    "internal_callee_ends",
    "internal_busy",
    "internal_no_answer",
    "inbound_to_two_devices",
    "outbound_answered",
    "outbound_busy",
    "group_answered",
    "group_nobody",
    "queue_answered",
    "queue_abandoned",
    "queue_timed_out",
    "queue_local_answered",
    "queue_to_queue",
    "forward_away_outside",
    "device_rung_twice",
    "voicemail_inbound",
    "blind_transfer_by_phone",
    "pickup_directed",
    "account_of_nobody",
)


class WithCdr(AsteriskInstance):
    """One whose CDRs are written, too."""

    @property
    def master(self) -> Path:
        return self.directory / "log/cdr-csv/Master.csv"

    def _configure(self) -> None:
        super()._configure()
        modules = self.directory / "etc/modules.conf"
        modules.write_text(modules.read_text().replace("noload = cdr_csv.so\n", ""))
        (self.directory / "etc/cdr.conf").write_text(SAMPLE)
        self.master.parent.mkdir(parents=True)
        owner = self.cel_journal.parent.stat()
        shutil.chown(self.master.parent, owner.st_uid, owner.st_gid)


async def main() -> int:
    expected: dict[str, list[Mapping[str, object]]] = {}
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(WithCdr(ring_seconds=RING_SECONDS))
        made = [device(pbx, name) for name in DEVICES]
        phones = await asyncio.gather(*(stack.enter_async_context(phone) for phone in [*made, carrier(pbx)]))
        gateway = Gateway(pbx, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        operator = AmiSession(pbx.operator_url, events=False)
        await operator.start()
        stack.push_async_callback(operator.close)
        await operator.wait_connected(10)
        lab = Lab(pbx, gateway, operator, *phones)
        for play in (play for play in PLAYED_ON["demo"] if play.__name__ in PLAYED):
            lab.guests.clear()
            for phone in lab.everyone():
                await phone.behave()
            before = len(pbx.master.read_bytes()) if pbx.master.exists() else 0
            played = await play(lab)
            expected[play.__name__] = [asdict(one) for one in (played if isinstance(played, list) else [played])]
            await silence(pbx)
            await until(partial(_longer, pbx.master, before), "a CDR")
            await asyncio.sleep(0.5)
            print(play.__name__, flush=True)
        PLACE.mkdir(exist_ok=True)
        for source, name in (
            (pbx.master, "Master.csv"),
            (pbx.cel_journal, "journal.csv"),
            (pbx.queue_log, "queue_log"),
        ):
            (PLACE / name).write_bytes(source.read_bytes())
    (PLACE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return 0


def _longer(path: Path, before: int) -> bool:
    return path.exists() and path.stat().st_size > before


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
