"""A PBX, phones, and what the gateway makes of their calls: the two are held against each other."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.journal import JournalSource
from gateway.asterisk.originate import OriginateRequest, place
from gateway.asterisk.source import Source
from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.identity import uuid7
from gateway.calls.origination import Origination
from gateway.calls.record import Attempt, CallRecord
from gateway.directory_file import read
from gateway.numbering import to_e164
from tests.lab.asterisk import CONFIGURATION, AsteriskInstance
from tests.lab.phones import Phone, Seen, carrier, device

OUTSIDE = "+61255501234"
SETTLING_SECONDS = 20.0
TALK_SECONDS = 0.6
SAME_MOMENT = 0.15
"""Seconds by which a phone and Asterisk may differ on when something happened."""


class Laboratory:
    """One running PBX. Phones are switched on by name and off when the test ends."""

    def __init__(self, pbx: AsteriskInstance, stack: AsyncExitStack) -> None:
        self.pbx = pbx
        self._stack = stack
        self._originations: list[Origination] = []
        directory = read(CONFIGURATION / "demo-pbx/directory.yaml")
        self.directory = replace(
            directory, users=tuple(replace(user, id=f"user-{user.number}") for user in directory.users)
        )

    async def phones(self, *names: str) -> list[Phone]:
        """Registered phones of these endpoints; `carrier` is the outside."""
        made = [carrier(self.pbx, OUTSIDE) if name == "carrier" else device(self.pbx, name) for name in names]
        return list(await asyncio.gather(*(self._stack.enter_async_context(phone) for phone in made)))

    async def click(
        self,
        destination: str,
        *,
        devices: tuple[str, ...] = ("PJSIP/101-desk", "PJSIP/101-mobile"),
        caller_id: str | None = "+61290000001",
        ring_timeout: int = 10,
        deadline_in: int = 30,
    ) -> str:
        """Alice clicks; gives the call's id once Asterisk has accepted it."""
        session = AmiSession(self.pbx.ami_url, events=False)
        await session.start()
        try:
            await session.wait_connected(10)
            call_id = uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))
            alice = next(user for user in self.directory.users if user.number == "101")
            now = time.time_ns() // 1000
            self._originations.append(
                Origination("acme", call_id, "pbx1", alice.ref, destination, caller_id, None, now)
            )
            request = OriginateRequest(
                id=call_id,
                other_id=f"{call_id}-2",
                devices=devices,
                destination=destination,
                destination_context="from-internal",
                user_number="101",
                user_name="Alice",
                caller_id=caller_id,
                account="acme",
                ring_timeout=ring_timeout,
                answer_timeout=10,
                deadline_epoch=int(time.time()) + deadline_in,
            )
            await place(session, request)
        finally:
            await session.close()
        return call_id

    async def talk(self) -> None:
        """Wait until Asterisk has connected who was called, and let them talk for a while.

        A phone hears that its call is answered before Asterisk has joined it to anybody.
        """
        deadline = time.monotonic() + SETTLING_SECONDS
        while not any(record.state == "in_progress" for record in await self._fold(None)):
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody talks\n{self.pbx.cel_journal.read_text()}")
            await asyncio.sleep(0.02)
        await asyncio.sleep(TALK_SECONDS)

    async def record(self) -> CallRecord:
        """The one call's record, once Asterisk has written its end."""
        (record,) = await self.records(1)
        return record

    async def records(self, count: int, source: Source | None = None) -> list[CallRecord]:
        """The records of `count` calls, once all are over; read from the journal, or from `source`."""
        deadline = time.monotonic() + SETTLING_SECONDS
        found = await self._fold(source)
        while len(found) < count or not all(record.settled for record in found):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {count} calls over: {found}\n{self.pbx.cel_journal.read_text()}")
            await asyncio.sleep(0.05)
            found = await self._fold(source)
        return found

    async def _fold(self, source: Source | None) -> list[CallRecord]:
        """Everything the source says so far, folded from its beginning."""
        node = NodeDirectory([self.directory])
        fold = Fold("pbx1", lambda _: node, to_e164)
        for origination in self._originations:
            fold.know(origination)
        source = source or JournalSource(self.pbx.cel_journal, self.pbx.queue_log)
        batch = await source.read({}, 100_000)
        for row in batch.rows:
            fold.take(row)
        changes = fold.drain()
        return list({record.id: record for record in changes.records}.values())


def results(record: CallRecord) -> dict[str | None, str | None]:
    """What came of each device or outside number that was rung."""
    return {attempt.device or attempt.number: attempt.result for attempt in record.attempts}


def attempt(record: CallRecord, device_or_number: str) -> Attempt:
    (found,) = (one for one in record.attempts if device_or_number in (one.device, one.number))
    return found


def assert_same_moment(instant: int | None, seen: Seen) -> None:
    assert instant is not None
    assert abs(instant / 1_000_000 - seen.at) < SAME_MOMENT


async def assert_talk_as_heard(record: CallRecord, phone: Phone) -> None:
    """The record's conversation is the one that this phone had."""
    talking, over = await phone.wait_for("talking"), await phone.wait_for("over")
    assert_same_moment(record.answered_at, talking)
    assert_same_moment(record.ended_at, over)
    assert abs(record.talk_ms / 1000 - (over.at - talking.at)) < SAME_MOMENT
