"""Listens to one Asterisk over AMI.

Without a journal it writes what it hears into the spool, and marks what it did not hear; with
one it only wakes the reader. Either way it asks, after each connecting, whenever rows were lost and now
and then, which channels live, so that what ended unheard can be closed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.asterisk.ami import AmiSession, Pace
from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.calls_control import live_channels
from gateway.asterisk.cel_ami import ROW_EVENTS, row_of_event
from gateway.asterisk.clock_watch import ClockWatch
from gateway.asterisk.errors import ActionRefused, AmiError
from gateway.asterisk.own_clock import ticks
from gateway.asterisk.source import Source
from gateway.asterisk.spool import SpoolWriter, now
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, Instant, Watermark

log = logging.getLogger(__name__)

SURVEY_RETRY_SECONDS = 1.0
SURVEY_TIMEOUT_SECONDS = 10.0
SURVEY_AGAIN_SECONDS = 600.0
"""Unasked for: where Asterisk's clock was set, an answer may have come too early by it to close what ended unheard."""

SETTLE_SECONDS = 1.0
"""How long after Asterisk told its channels the rows of those that had ended are surely there."""


class Listener:
    """The node's one session with events.

    Args:
        url: `ami://user:secret@host:port`.
        spool_dir: where what is heard is written; None in journal mode.
        source: whose reader is woken.
        on_hint: gets the events that are no rows (`DialState` …), synchronously; for live views only.

    `since`: instant of the sign-in of the present connection; `last_event_at`: of the last event.
    """

    def __init__(
        self,
        url: str,
        spool_dir: Path | None,
        source: Source,
        *,
        on_hint: Callable[[Mapping[str, str]], None] | None = None,
        pace: Pace | None = None,
        settle_seconds: float = SETTLE_SECONDS,
        survey_again_seconds: float = SURVEY_AGAIN_SECONDS,
    ) -> None:
        self.session = AmiSession(
            url,
            events=True,
            on_event=self._heard,
            on_state=self._state_changed,
            on_pong=self._answered,
            wanted_events=None if on_hint else ROW_EVENTS,
            pace=pace,
        )
        self.since: Instant | None = None
        self.last_event_at: Instant | None = None
        self.system_name: str | None = None
        self.version: str | None = None
        self.rows_unreadable = 0
        self._spool = SpoolWriter(spool_dir) if spool_dir is not None else None
        self._source = source
        self._on_hint = on_hint
        self._settle = settle_seconds
        self._again = survey_again_seconds
        self._clock = ClockWatch()
        self._survey: asyncio.Task[None] | None = None
        self._surveyed = False
        self._seen_alive: ChannelsAlive | None = None
        """At the last look; None after a step of Asterisk's clock, by which its times are no more."""
        self._steps = 0
        self._wanted = asyncio.Event()
        self._losses = self._asked_after = 0

    @property
    def hears(self) -> bool:
        """What Asterisk does is heard, and what it did unheard was asked for, as far as it tells."""
        return self.connected and self._surveyed

    @property
    def owes(self) -> bool:
        """Whether rows were lost and Asterisk was not asked since which channels live."""
        return self._losses != self._asked_after

    def ask_channels(self) -> None:
        """Rows were lost: ask for them again, now or when there is a link."""
        self._losses += 1
        self._surveyed = False
        self._wanted.set()
        if self.connected and (self._survey is None or self._survey.done()):
            self._survey = asyncio.create_task(self._ask(), name="ami survey")

    @property
    def connected(self) -> bool:
        return self.session.connected

    @property
    def last_error(self) -> str | None:
        return self.session.last_error

    @property
    def rows_lost(self) -> int:
        """Rows that could not be written to the spool."""
        return self._spool.rows_lost if self._spool else 0

    async def start(self) -> None:
        """Marks that nothing was heard until now, and begins to connect."""
        self._write_gap()
        await self.session.start()

    async def close(self) -> None:
        """Signs off; the spool is complete to the last event heard."""
        await self._end_survey()
        await self.session.close()
        if self._spool is not None:
            self._spool.close()

    def _heard(self, headers: Mapping[str, str]) -> None:
        heard_at = now()
        self.last_event_at = heard_at
        if headers["Event"] not in ROW_EVENTS:
            if self._on_hint is not None:
                self._on_hint(headers)
            return
        if self._spool is not None:
            try:
                row = row_of_event(headers, heard_at)
            except (ValueError, KeyError) as error:
                # Content is not logged: it names people and numbers.
                self.rows_unreadable += 1
                log.warning("an event cannot be read (%s); it is skipped", type(error).__name__)
                return
            if row is None:
                return
            if isinstance(row, CelRow) and self._clock.row(row.at, ticks()):
                self._stepped(row.at)
            if not self._spool.append(row):
                self.ask_channels()
        else:
            self._watch_time(headers)
        self._source.wake()

    def _watch_time(self, headers: Mapping[str, str]) -> None:
        """The journal's own rows may be read long after."""
        with contextlib.suppress(ValueError):
            at = read_time(headers.get("Timestamp", ""))
            if self._clock.row(at, ticks()):
                self._stepped(at)

    def _answered(self, text: str, asked_at: Instant, heard_at: Instant) -> None:
        """Asterisk answers in the order in which it sends: what it told long enough before its answer was heard."""
        self._told_time(text, asked_at, heard_at)
        with contextlib.suppress(ValueError):
            watermark = Watermark(read_time(text) - int(self._settle * 1_000_000))
            if self._spool is not None:
                self._spool.append(watermark)
            else:
                self._source.note_watermark(watermark)
            self._source.wake()

    def _told_time(self, text: str, asked_at: Instant, heard_at: Instant) -> None:
        try:
            at = read_time(text)
        except ValueError:
            return
        if self._clock.answer(at, asked_at, heard_at):
            self._stepped(at)
            self._source.wake()

    def _stepped(self, at: Instant) -> None:
        log.warning("Asterisk's clock was set; the calls that are open say that they are not complete")
        self._steps += 1
        self._seen_alive = None
        if self._spool is not None:
            self._spool.append(ClockStep(at))
        else:
            self._source.note_step(ClockStep(at))

    def _state_changed(self, connected: bool) -> None:
        if self._survey is not None:
            self._survey.cancel()
            self._survey = None
        self._surveyed = False
        if not connected:
            self.since = None
            return
        self.since = now()
        self._write_gap()
        self._survey = asyncio.create_task(self._ask(), name="ami survey")

    def _write_gap(self) -> None:
        if self._spool is not None:
            self._spool.append(Gap(now()))
            self._source.wake()

    async def _ask(self) -> None:
        """A lost link cancels it."""
        await self._ask_what_lives()
        await self._ask_who()
        while True:
            await self._ask_what_lives()
            self._wanted.clear()
            try:
                async with asyncio.timeout(self._again):
                    await self._wanted.wait()
            except TimeoutError:
                with contextlib.suppress(AmiError):
                    await self._look_again()

    async def _ask_what_lives(self) -> None:
        """Until it has the answer, and nothing was lost meanwhile."""
        while not self._surveyed:
            losses = self._losses
            try:
                alive = await self._survey_channels()
                told = alive is not None and self._give(alive)
                self._seen_alive = alive
            except ActionRefused as error:
                log.error("Asterisk refuses to list its channels: %s", error.message)
                told = True
            except AmiError:
                told = False
            if told and losses == self._losses:
                self._asked_after, self._surveyed = losses, True
                self._source.wake()
            else:
                await asyncio.sleep(SURVEY_RETRY_SECONDS)

    async def _look_again(self) -> None:
        """What lived neither now nor at the last look ended before that, and its rows are not only late."""
        before, alive = self._seen_alive, await self._survey_channels()
        self._seen_alive = alive
        if before is None or alive is None:
            return
        if not self._give(ChannelsAlive(alive.at, before.since, before.unique_ids | alive.unique_ids)):
            self.ask_channels()
        self._source.wake()

    async def _survey_channels(self) -> ChannelsAlive | None:
        """What Asterisk tells, in its time; None where its clock was set meanwhile."""
        steps, since = self._steps, now()
        ahead = await self._clock_difference()
        channels = await live_channels(self.session)
        await asyncio.sleep(self._settle)
        if steps != self._steps:
            return None
        return ChannelsAlive(now() + ahead, since + ahead, frozenset(c.unique_id for c in channels))

    def _give(self, alive: ChannelsAlive) -> bool:
        """Whether it has its place among the rows."""
        if self._spool is not None:
            return self._spool.append(alive)
        self._source.note_alive(alive)
        return True

    async def _clock_difference(self) -> int:
        """Microseconds by which Asterisk's clock is ahead of ours: rows carry Asterisk's."""
        asked, asked_at = now(), ticks()
        reply = await self.session.action("Ping", timeout=SURVEY_TIMEOUT_SECONDS)
        self._told_time(reply.headers.get("Timestamp", ""), asked_at, ticks())
        try:
            return read_time(reply.headers["Timestamp"]) - (asked + now()) // 2
        except (KeyError, ValueError):
            return 0

    async def _ask_who(self) -> None:
        try:
            reply = await self.session.action("CoreSettings", timeout=SURVEY_TIMEOUT_SECONDS)
        except AmiError as error:
            log.info("Asterisk does not tell its settings: %s", type(error).__name__)
            return
        self.system_name = reply.headers.get("SystemName") or None
        self.version = reply.headers.get("AsteriskVersion") or None

    async def _end_survey(self) -> None:
        survey, self._survey = self._survey, None
        if survey is not None:
            survey.cancel()
            await asyncio.gather(survey, return_exceptions=True)
