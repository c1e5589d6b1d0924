"""Plays the scenarios on a real Asterisk and keeps what it said of each call, for tests that need no Asterisk.

    python -m tests.lab.record [--pbx demo|foreign] [--workers 3] [SCENARIO …]

`tests/recordings/<pbx>/<scenario>/` then holds, of one scenario:
`journal.csv`, cel_custom's rows; `ami.jsonl`, the AMI events CEL and Queue…, one JSON object a line;
`queue_log`, the queue's lines; `phones.json`, what each phone saw, in order; `expected.json`, what the
records must say by the scenario, and for click to call the id under which it was placed.
`tests/recordings/<pbx>/versions.json` says on what they were made.

What the gateway makes of a call plays no part: it runs only to place calls.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.cel_ami import ROW_EVENTS
from tests.lab.asterisk import PBXES, PROJECT, AsteriskInstance, Pbx
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, carrier, device
from tests.lab.scenarios import PLACED_BY_GATEWAY, PLAYED_ON
from tests.lab.scenarios.model import DEVICES, Expected, Lab, Play, marks, silence

RECORDINGS = PROJECT / "tests/recordings"
SETTLING_SECONDS = 40.0
RING_SECONDS = 3


class Recorder:
    """One PBX with its phones; `record` plays one scenario. `heard` gets what AMI tells."""

    def __init__(self, lab: Lab, heard: list[Mapping[str, str]]) -> None:
        self._lab = lab
        self._pbx = lab.pbx
        self._heard = heard

    async def record(self, play: Play) -> list[Expected]:
        self._lab.guests.clear()
        for phone in self._lab.everyone():
            await phone.behave()
        since = marks(self._lab)
        journal_mark, queue_mark = _size(self._pbx.cel_journal), _size(self._pbx.queue_log)
        self._heard.clear()

        played = await play(self._lab)
        expected = played if isinstance(played, list) else [played]
        for phone in self._lab.everyone():
            await until(partial(_idle, phone, since.get(phone.name, 0)), f"the end of {phone.name}'s calls")
        await silence(self._pbx)
        # Both tell every event: when the counts agree, both have told all.
        await until(
            lambda: _since(self._pbx.cel_journal, journal_mark).count(b"\n") == self._cel_events(),
            "as many events over AMI as in the journal",
        )
        placed = self._placed() if any(one.placed for one in expected) else None
        _write(
            RECORDINGS / self._pbx.pbx / play.__name__,
            {
                "journal.csv": _since(self._pbx.cel_journal, journal_mark).decode(),
                "queue_log": _since(self._pbx.queue_log, queue_mark).decode(),
                "ami.jsonl": "".join(f"{json.dumps(dict(event))}\n" for event in self._heard),
                "phones.json": _json({p.name: _told(p, since.get(p.name, 0)) for p in self._lab.everyone()}),
                "expected.json": _json({"calls": [asdict(one) for one in expected], "placed": placed}),
            },
        )
        return expected

    async def start_anew(self) -> None:
        """After a scenario that failed half-way: nobody talks into the next one."""
        for phone in self._lab.everyone():
            if phone not in self._lab.guests:
                phone.resume()
                await phone.hang_up()
        await self._pbx.command("channel request hangup all")
        await silence(self._pbx)

    def _cel_events(self) -> int:
        return sum(event["Event"] == "CEL" for event in self._heard)

    def _placed(self) -> str:
        """The gateway's id for the call is its first channel's."""
        return next(e["UniqueID"] for e in self._heard if e.get("EventName") == "CHAN_START")


def _told(phone: Phone, mark: int) -> list[dict[str, object]]:
    return [asdict(seen) for seen in phone.seen[mark:] if seen.what != "behaving"]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _since(path: Path, mark: int) -> bytes:
    return path.read_bytes()[mark:] if path.exists() else b""


def _write(place: Path, files: Mapping[str, str]) -> None:
    """The whole recording or nothing: a recording cut short is worse than the one before."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RECORDINGS, prefix=".partial-") as made:
        for file, text in files.items():
            (Path(made) / file).write_text(text)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(made, place)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _idle(phone: Phone, mark: int) -> bool:
    seen = phone.seen[mark:]
    return {one.call for one in seen if one.what in ("invite", "calling")} <= {
        one.call for one in seen if one.what == "over"
    }


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


@dataclass
class Programme:
    """What is still to be played on one PBX, by several workers; how far they are."""

    pbx: Pbx
    open: deque[Play]
    began: float = field(default_factory=time.monotonic)
    count: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.count = len(self.open)

    def take(self, *, with_gateway: bool) -> Play | None:
        """The next scenario; only a worker with a gateway can play one in which it places a call."""
        for play in sorted(self.open, key=lambda play: (play in PLACED_BY_GATEWAY) is not with_gateway):
            if with_gateway or play not in PLACED_BY_GATEWAY:
                self.open.remove(play)
                return play
        return None

    def say(self, name: str, text: str) -> None:
        self.done += 1
        elapsed = time.monotonic() - self.began
        print(f"[{elapsed:6.1f} s] {self.done:3} of {self.count} {self.pbx}/{name}: {text}", flush=True)

    async def play(self, recorder: Recorder, *, with_gateway: bool) -> None:
        while play := self.take(with_gateway=with_gateway):
            try:
                expected = await recorder.record(play)
                self.say(play.__name__, ", ".join(one.outcome for one in expected) or "no call")
            except (AssertionError, TimeoutError, RuntimeError) as error:
                self.failed.append(play.__name__)
                self.say(play.__name__, f"NOT RECORDED: {error}")
                await recorder.start_anew()


async def work(programme: Programme, *, with_gateway: bool) -> None:
    """One worker: an Asterisk of its own, with its phones."""
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=RING_SECONDS, pbx=programme.pbx))
        _write_versions(pbx)
        names = [device(pbx, name) for name in DEVICES]
        phones = await asyncio.gather(*(stack.enter_async_context(phone) for phone in [*names, carrier(pbx)]))
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-record-")))
        gateway = Gateway(pbx, data)
        if with_gateway:
            await stack.enter_async_context(gateway)
        heard: list[Mapping[str, str]] = []
        listener = AmiSession(pbx.ami_url, events=True, on_event=heard.append, wanted_events=ROW_EVENTS)
        operator = AmiSession(pbx.operator_url, events=False)
        for session in (listener, operator):
            await session.start()
            stack.push_async_callback(session.close)
            await session.wait_connected(10)
        recorder = Recorder(Lab(pbx, gateway, operator, *phones), heard)
        await programme.play(recorder, with_gateway=with_gateway)


def _write_versions(pbx: AsteriskInstance) -> None:
    place = RECORDINGS / pbx.pbx / "versions.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(_json({"asterisk": pbx.version}))


async def perform(programme: Programme, workers: int) -> None:
    placing = any(play in PLACED_BY_GATEWAY for play in programme.open)
    tasks: list[Awaitable[None]] = [
        work(programme, with_gateway=placing and number == 0) for number in range(min(workers, programme.count))
    ]
    await asyncio.gather(*tasks)


async def main(pbxes: Sequence[Pbx], names: Sequence[str], workers: int) -> int:
    known = {play.__name__ for pbx in pbxes for play in PLAYED_ON[pbx]}
    if unknown := [name for name in names if name not in known]:
        print(f"no such scenario: {', '.join(unknown)}; there are: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    failed = []
    for pbx in pbxes:
        programme = Programme(pbx, deque(play for play in PLAYED_ON[pbx] if not names or play.__name__ in names))
        await perform(programme, workers)
        failed += [f"{pbx}/{name}" for name in programme.failed]
    if failed:
        print(f"not recorded: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.lab.record", description=__doc__.partition("\n")[0])
    parser.add_argument("--pbx", choices=PBXES, help="only on this one; else on both")
    parser.add_argument("--workers", type=int, default=3, help="so many Asterisks side by side")
    parser.add_argument("scenario", nargs="*")
    asked = parser.parse_args()
    sys.exit(asyncio.run(main([asked.pbx] if asked.pbx else PBXES, asked.scenario, asked.workers)))
