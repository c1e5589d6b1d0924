"""The recordings, read: rows in either form, what the phones saw, what the scenario says, and a fold of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.journal import JournalSource
from gateway.calls.directory import Directory, NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.origination import Origination
from gateway.calls.record import CallRecord
from gateway.calls.rows import ChannelsAlive, Row
from gateway.directory_file import read
from gateway.numbering import to_e164
from tests.lab.scenarios.model import Expected
from tests.lab.scenarios.verdict import expected_from

PROJECT = Path(__file__).resolve().parents[2]
PLACE = PROJECT / "tests/recordings"
DIRECTORIES = tuple(PROJECT / "asterisk-conf/demo-pbx" / name for name in ("directory.yaml", "umbrella.yaml"))
SOURCES = ("journal", "ami")
NODE = "pbx1"


@cache
def directories() -> tuple[Directory, ...]:
    """Those of the accounts on the PBX, Acme's first, with ids for the users as a store would give them."""
    return tuple(
        replace(directory, users=tuple(replace(user, id=f"user-{user.number}") for user in directory.users))
        for directory in map(read, DIRECTORIES)
    )


@dataclass(frozen=True)
class Recording:
    place: Path

    @property
    def pbx(self) -> str:
        return self.place.parent.name

    @property
    def scenario(self) -> str:
        return self.place.name

    @property
    def name(self) -> str:
        return f"{self.pbx}/{self.scenario}"

    @cached_property
    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.place / "expected.json").read_text())
        return told

    @property
    def expected(self) -> list[Expected]:
        return [expected_from(call) for call in self._told["calls"]]

    def expected_of(self, source: str) -> list[Expected]:
        """What this form of it lets a fold say."""
        if source == "journal":
            return self.expected
        return [
            one if one.visits_over_ami is None else replace(one, visits=one.visits_over_ami) for one in self.expected
        ]

    @property
    def placed(self) -> str | None:
        """The id under which the gateway placed the call, if it did."""
        placed: str | None = self._told["placed"]
        return placed

    @cached_property
    def phones(self) -> dict[str, list[dict[str, Any]]]:
        phones: dict[str, list[dict[str, Any]]] = json.loads((self.place / "phones.json").read_text())
        return phones

    async def rows(self, source: str) -> list[Row]:
        rows = await self._recorded(source)
        if any(call.outcome == "lost" for call in self.expected):
            # What a gateway learns when it is connected again: Asterisk was killed, no channel lives.
            rows.append(ChannelsAlive(rows[-1].at + 2, rows[-1].at + 1, frozenset()))
        return rows

    async def _recorded(self, source: str) -> list[Row]:
        if source == "journal":
            journal = JournalSource(self.place / "journal.csv", self.place / "queue_log")
            return list((await journal.read({}, 100_000)).rows)
        events = [json.loads(line) for line in (self.place / "ami.jsonl").read_text().splitlines()]
        return [row for event in events if (row := row_of_event(event, 0)) is not None]

    def new_fold(self, started_at: int = 0) -> Fold:
        """An empty fold that knows the directories, and the call that the gateway placed."""
        node = NodeDirectory(directories())
        fold = Fold(NODE, lambda _: node, to_e164)
        if self.placed:
            alice = next(user for user in directories()[0].users if user.number == "101")
            expected = self.expected[0]
            caller_id = None if expected.direction == "internal" else alice.caller_id
            destination = expected.callee or ""
            fold.know(Origination("acme", self.placed, NODE, alice.ref, destination, caller_id, None, started_at))
        return fold

    def fold(self, rows: Sequence[Row]) -> list[CallRecord]:
        """The last record of each call that was not merged away, by its start."""
        fold = self.new_fold(rows[0].at if rows else 0)
        for row in rows:
            fold.take(row)
        changes = fold.drain()
        merged = {old for _, old, _ in changes.merged}
        records = {record.id: record for record in changes.records if record.id not in merged}
        return sorted(records.values(), key=lambda record: (record.started_at, record.id))


RECORDINGS = [Recording(path.parent) for path in sorted(PLACE.glob("[a-z]*/[a-z]*/expected.json"))]
