"""Plays the scenarios on a real Asterisk and keeps what it said of each call, for tests that need no Asterisk.

    python -m tests.lab.record [SCENARIO …]

`tests/recordings/<scenario>/` then holds, of one call:
`journal.csv`, cel_custom's rows; `ami.jsonl`, the AMI events CEL and Queue…, one JSON object a line;
`queue_log`, the queue's lines; `phones.json`, what each phone saw, in order; `expected.json`, what the
record must say by the scenario, and for click to call the id under which it was placed.
The directory is the demo PBX's.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.cel_ami import ROW_EVENTS
from tests.lab.asterisk import PROJECT, AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, carrier, device
from tests.lab.scenarios import SCENARIOS
from tests.lab.scenarios.model import DEVICES, Expected, Lab, Play, marks

RECORDINGS = PROJECT / "tests/recordings"
SETTLING_SECONDS = 15.0


class Recorder:
    """One PBX with its phones, and a gateway to place calls; `record` plays one scenario."""

    def __init__(self, lab: Lab, heard: list[Mapping[str, str]]) -> None:
        self._lab = lab
        self._pbx = lab.pbx
        self._heard = heard

    async def record(self, play: Play) -> list[Expected]:
        for phone in self._lab.everyone():
            await phone.behave()
        known = {call["id"] for call in (await self._lab.gateway.api.get("/v1/calls")).json()["data"]}
        since = marks(self._lab)
        journal_mark, queue_mark = self._size(self._pbx.cel_journal), self._size(self._pbx.queue_log)
        self._heard.clear()

        played = await play(self._lab)
        expected = played if isinstance(played, list) else [played]
        call = await self._lab.gateway.next_ended(known)
        for phone in self._lab.everyone():
            await until(partial(_idle, phone, since[phone.name]), f"the end of {phone.name}'s calls")
        # Both tell every event: when the counts agree, both have told all.
        await until(
            lambda: self._since(self._pbx.cel_journal, journal_mark).count(b"\n") == self._cel_events(),
            "as many events over AMI as in the journal",
        )
        self._write(
            play.__name__,
            {
                "journal.csv": self._since(self._pbx.cel_journal, journal_mark).decode(),
                "queue_log": self._since(self._pbx.queue_log, queue_mark).decode(),
                "ami.jsonl": "".join(f"{json.dumps(dict(event))}\n" for event in self._heard),
                "phones.json": _json(
                    {
                        p.name: [asdict(s) for s in p.seen[since[p.name] :] if s.what != "behaving"]
                        for p in self._lab.everyone()
                    }
                ),
                "expected.json": _json(
                    {
                        "calls": [asdict(one) for one in expected],
                        "placed": call["id"] if expected[0].placed else None,
                    }
                ),
            },
        )
        return expected

    def _cel_events(self) -> int:
        return sum(event["Event"] == "CEL" for event in self._heard)

    @staticmethod
    def _size(path: Path) -> int:
        return path.stat().st_size if path.exists() else 0

    @staticmethod
    def _since(path: Path, mark: int) -> bytes:
        return path.read_bytes()[mark:] if path.exists() else b""

    @staticmethod
    def _write(name: str, files: Mapping[str, str]) -> None:
        """The whole recording or nothing: a recording cut short is worse than the one before."""
        RECORDINGS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=RECORDINGS, prefix=".partial-") as made:
            for file, text in files.items():
                (Path(made) / file).write_text(text)
            place = RECORDINGS / name
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(made, place)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _idle(phone: Phone, mark: int) -> bool:
    seen = [one.what for one in phone.seen[mark:]]
    return seen.count("over") >= seen.count("invite") + seen.count("calling")


async def until(true: Callable[[], bool], what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: naming what did not come.
    """
    try:
        async with asyncio.timeout(SETTLING_SECONDS):
            while not true():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"waited {SETTLING_SECONDS} s for {what}") from None


async def main(names: list[str]) -> int:
    known = {play.__name__: play for play in SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        print(f"no such scenario: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=3))
        devices = [device(pbx, name) for name in DEVICES]
        phones = [await stack.enter_async_context(phone) for phone in [*devices, carrier(pbx)]]
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-record-")))
        gateway = await stack.enter_async_context(Gateway(pbx, data))
        heard: list[Mapping[str, str]] = []
        session = AmiSession(pbx.ami_url, events=True, on_event=heard.append, wanted_events=ROW_EVENTS)
        await session.start()
        stack.push_async_callback(session.close)
        await session.wait_connected(10)
        recorder = Recorder(Lab(pbx, gateway, session, *phones), heard)
        for name in names or known:
            try:
                expected = await recorder.record(known[name])
                print(f"{name}: {', '.join(one.outcome for one in expected)}", flush=True)
            except (AssertionError, TimeoutError) as error:
                failed += 1
                print(f"{name}: not recorded: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
