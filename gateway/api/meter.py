"""How many requests a minute: per key and per account, over all API processes, without a write for any of them.

Each process counts in memory and tells the database once a second what it counted; the answer is what all
processes have counted together. So a limit can be passed by what the other processes let in since this one
last heard of them: a second's requests, at most two. Minutes are those of the clock. A request that is refused
does not count. When and from where a key was used last goes the same way.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import structlog

from gateway.api.problems import DATABASE_AWAY
from gateway.store import request_counts
from gateway.store.connection import Pool
from gateway.store.request_counts import Subject, Use

log = structlog.get_logger()

WINDOW_SECONDS = 60
TOLD_EVERY_SECONDS = 1.0
USE_TOLD_EVERY_SECONDS = 60.0
MOST_USES_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """`left` requests of `quota` for `resets_in` more seconds. `name`: of what, `key` or `account`."""

    name: str
    quota: int
    left: int
    resets_in: int


@dataclass(frozen=True, slots=True)
class Standing:
    admitted: bool
    limits: tuple[Limit, ...]

    @property
    def retry_after(self) -> int:
        return self.limits[0].resets_in

    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-10."""
        policies = (f'"{one.name}";q={one.quota};w={WINDOW_SECONDS}' for one in self.limits)
        standings = (f'"{one.name}";r={one.left};t={one.resets_in}' for one in self.limits)
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(standings)}


class Meter:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._minute = 0
        self._known: dict[Subject, int] = {}
        self._untold: Counter[Subject] = Counter()
        self._uses: dict[str, Use] = {}
        self._uses_told: dict[str, tuple[float, str]] = {}
        self._telling: asyncio.Task[None] | None = None

    def count(self, account: str, key_id: str, ip: str, of_key: int, of_account: int) -> Standing:
        """One request more, if both limits (a minute's requests) allow it."""
        now = time.time()
        self._begin(int(now // WINDOW_SECONDS))
        subjects = ((account, key_id), (account, ""))
        used = [self._known.get(subject, 0) + self._untold[subject] for subject in subjects]
        admitted = used[0] < of_key and used[1] < of_account
        if admitted:
            self._untold.update(subjects)
            self._note_use(account, key_id, ip)
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell(), name="meter")
        resets_in = max(1, WINDOW_SECONDS - int(now % WINDOW_SECONDS))
        return Standing(
            admitted,
            (
                Limit("key", of_key, max(0, of_key - used[0] - admitted), resets_in),
                Limit("account", of_account, max(0, of_account - used[1] - admitted), resets_in),
            ),
        )

    def _begin(self, minute: int) -> None:
        if minute != self._minute:
            self._minute = minute
            self._known.clear()
            self._untold.clear()

    def _note_use(self, account: str, key_id: str, ip: str) -> None:
        told_at, told_ip = self._uses_told.get(key_id, (0.0, ""))
        if ip != told_ip or time.monotonic() - told_at >= USE_TOLD_EVERY_SECONDS:
            self._uses[key_id] = Use(account, key_id, datetime.now(UTC), ip)

    async def _tell(self) -> None:
        """Once a second, for as long as there is something to tell."""
        swept = 0
        while self._untold or self._uses:
            counts, minute = dict(self._untold), self._minute
            uses = list(self._uses.values())
            try:
                await self._tell_now(minute, counts, uses)
                if swept != minute:
                    await request_counts.forget(self._pool, minute)
                    swept = minute
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                log.warning("meter.not_told", error=type(error).__name__)
            await asyncio.sleep(TOLD_EVERY_SECONDS)

    async def _tell_now(self, minute: int, counts: dict[Subject, int], uses: list[Use]) -> None:
        if counts:
            known = await request_counts.add(self._pool, minute, counts)
            if minute == self._minute:
                self._known.update(known)
                self._untold -= Counter(counts)
        if uses:
            await request_counts.note_uses(self._pool, uses)
            if len(self._uses_told) > MOST_USES_REMEMBERED:
                self._uses_told.clear()
            for use in uses:
                self._uses_told[use.key_id] = (time.monotonic(), use.ip)
                if self._uses.get(use.key_id) is use:
                    del self._uses[use.key_id]
