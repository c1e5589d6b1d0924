"""Facts about channels: what Asterisk did, before anybody says what it meant.

A `Channel` gathers the rows of one unique id: where it started, which applications it ran,
which bridges it stayed in, how it ended. Nothing here knows users, queues or outcomes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.calls.rows import CelRow, Instant

HOLDING = "holding_bridge"
"""The technology of the bridge in which the parked wait: being in it is not talking."""


@dataclass(slots=True)
class AppRun:
    """One run of an application on a channel. `exten` is where the dialplan stood.

    CEL tells a change of application, not each call of it: a Dial right after a Dial is known
    only by other data on a later row, so that `started_at` is then when it was first seen.
    """

    app: str
    data: str
    exten: str
    started_at: Instant
    ended_at: Instant | None = None


@dataclass(slots=True)
class Stay:
    """A channel's stay in a bridge, from BRIDGE_ENTER to BRIDGE_EXIT."""

    bridge_id: str
    holding: bool
    entered_at: Instant
    left_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Hangup:
    """`cause` is a Q.850 cause (0: none given); `source` the channel that hung up, if it is told."""

    at: Instant
    cause: int
    source: str
    dialstatus: str


@dataclass(slots=True)
class Channel:
    unique_id: str
    name: str
    linked_id: str
    first_seen: Instant
    start_seen: bool
    exten: str
    context: str
    caller_number: str
    caller_name: str
    account_code: str
    dnid: str = ""
    number_now: str = ""
    extens: list[str] = field(default_factory=list)
    runs: list[AppRun] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    answered_at: Instant | None = None
    hangup: Hangup | None = None
    ended_at: Instant | None = None
    last_row_at: Instant = 0

    @property
    def endpoint(self) -> str:
        """Technology and resource: `PJSIP/101-desk` of `PJSIP/101-desk-00000003`."""
        return self.name.rsplit("-", 1)[0]

    @property
    def is_local(self) -> bool:
        """A half of a Local channel: plumbing, never a party."""
        return self.name.startswith("Local/")

    @property
    def pair(self) -> str:
        """The name that both halves of a Local channel share."""
        return self.name[:-2]

    @property
    def half(self) -> str:
        return self.name[-1]

    @property
    def dialled(self) -> bool:
        """Whether this is a called leg: Dial and Queue start it at exten `s`, in another's linked id."""
        return self.exten == "s" and self.unique_id != self.linked_id

    @property
    def hung_up_itself(self) -> bool:
        return self.hangup is not None and self.hangup.source == self.name

    def first_bridged_at(self) -> Instant | None:
        """When it first came into a bridge that is not for waiting."""
        return next((stay.entered_at for stay in self.stays if not stay.holding), None)

    def runs_of(self, app: str) -> Iterator[AppRun]:
        return (run for run in self.runs if run.app == app)

    def take(self, row: CelRow) -> None:
        """Note what `row` says of this channel. Rows of one channel come in order."""
        self.last_row_at = row.at
        if row.dnid and not self.dnid:
            self.dnid = row.dnid
        if row.caller_number:
            self.number_now = row.caller_number
        if row.exten and (not self.extens or self.extens[-1] != row.exten):
            self.extens.append(row.exten)
        match row.event:
            case "APP_START":
                self._start_run(row)
            case "APP_END":
                self._see_hidden_run(row)
                self._end_run(row.at)
            case "ANSWER":
                self.answered_at = self.answered_at or row.at
                self._see_hidden_run(row)
            case "BRIDGE_ENTER":
                self._enter(row)
            case "BRIDGE_EXIT":
                self._leave(row)
            case "HANGUP":
                self._hang_up(row)
            case "CHAN_END":
                self._end(row.at)
            case _:
                self._see_hidden_run(row)

    def _start_run(self, row: CelRow) -> None:
        self._end_run(row.at)
        self.runs.append(AppRun(row.app, row.app_data, row.exten, row.at))

    def _see_hidden_run(self, row: CelRow) -> None:
        """A second Dial in a row shows only as other data under the same application."""
        last = self.runs[-1] if self.runs else None
        if last and last.app == row.app == "Dial" and row.app_data not in ("", last.data) and last.ended_at is None:
            last.ended_at = row.at
            self.runs.append(AppRun(row.app, row.app_data, row.exten, row.at))

    def _end_run(self, at: Instant) -> None:
        if self.runs and self.runs[-1].ended_at is None:
            self.runs[-1].ended_at = at

    def _enter(self, row: CelRow) -> None:
        self._see_hidden_run(row)
        bridge_id = row.extra.get("bridge_id", "")
        if any(stay.bridge_id == bridge_id and stay.left_at is None for stay in self.stays):
            return
        self.stays.append(Stay(bridge_id, row.extra.get("bridge_technology") == HOLDING, row.at))

    def _leave(self, row: CelRow) -> None:
        self._see_hidden_run(row)
        bridge_id = row.extra.get("bridge_id", "")
        for stay in self.stays:
            if stay.left_at is None and bridge_id in ("", stay.bridge_id):
                stay.left_at = row.at

    def _hang_up(self, row: CelRow) -> None:
        if self.hangup is None:
            cause = row.extra.get("hangupcause", "")
            self.hangup = Hangup(
                row.at,
                int(cause) if cause.isdecimal() else 0,
                row.extra.get("hangupsource", ""),
                row.extra.get("dialstatus", ""),
            )
        self._end(row.at)

    def _end(self, at: Instant) -> None:
        if self.ended_at is not None:
            return
        self.ended_at = at
        self._end_run(at)
        for stay in self.stays:
            if stay.left_at is None:
                stay.left_at = at


def channel_from(row: CelRow) -> Channel:
    """The channel as its first row shows it; caller and exten are true only on CHAN_START."""
    return Channel(
        unique_id=row.unique_id,
        name=row.channel,
        linked_id=row.linked_id,
        first_seen=row.at,
        start_seen=row.event == "CHAN_START",
        exten=row.exten,
        context=row.context,
        caller_number=row.caller_number,
        caller_name=row.caller_name,
        account_code=row.account_code,
    )
