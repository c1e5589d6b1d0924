"""Facts about channels: what Asterisk did, before anybody says what it meant.

A `Channel` gathers the rows of one unique id: where it started, which applications it ran,
which bridges it stayed in, how it ended. Nothing here knows users, queues or outcomes.
"""

import re
from dataclasses import dataclass, field

from gateway.calls.rows import CelRow, Instant

HOLDING = "holding_bridge"
"""The technology of the bridge in which the parked wait: being in it is not talking."""


QUOTED_PAIR = re.compile(r'\\(["\\])')

RINGING_APPS = ("AppDial", "AppQueue")

ANSWERING_APPS = ("VoiceMail", "VoiceMailMain", "ConfBridge")
"""Applications that answer the channel that runs them."""

OF_A_CALLER = (0, 16, 127)
"""The causes with which a calling phone's CANCEL is told."""


@dataclass(slots=True)
class AppRun:
    """One run of an application on a channel. `exten` is where the dialplan stood.

    CEL tells a change of application, not each call of it: a Dial right after a Dial is known
    only by other data on a later row, so that `started_at` is then when it was first seen.
    `places` are the extensions that the channel showed since its run before, `exten` among them.
    """

    app: str
    data: str
    exten: str
    started_at: Instant
    places: tuple[str, ...]
    ended_at: Instant | None = None
    left_for: str = ""
    """Where the dialplan stood when it ended: a caller who pressed a key in a queue is at the key."""
    hidden: bool = False
    """Whether no APP_START told of it."""


@dataclass(slots=True)
class Stay:
    """A channel's stay in a bridge, from BRIDGE_ENTER to BRIDGE_EXIT. `holding`: it waited there, parked."""

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


@dataclass(slots=True, eq=False)
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
    is_local: bool
    """Whether it is a half of a Local channel: plumbing, never a party."""
    dnid: str = ""
    number_first: str = ""
    number_now: str = ""
    extens: list[str] = field(default_factory=list)
    runs: list[AppRun] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    answered_at: Instant | None = None
    hangup: Hangup | None = None
    ended_at: Instant | None = None
    end_seen: bool = False
    parked: bool = False
    rung: bool = False
    """Whether a later row says that Dial or Queue made it: AppDial, AppQueue."""
    odd: bool = False
    """Whether rows contradict each other: one of them was lost, or came where it cannot."""
    _last_row: CelRow | None = None
    _places: list[str] = field(default_factory=list)
    endpoint: str = field(init=False)
    """Technology and resource: `PJSIP/101-desk` of `PJSIP/101-desk-00000003`."""

    def __post_init__(self) -> None:
        self.endpoint = self.name.rsplit("-", 1)[0]

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
    def summoned(self) -> bool:
        """Whether no channel rang it, but a program or Asterisk itself: it starts at `s`, in a linked id of its own."""
        return self.exten == "s" and self.unique_id == self.linked_id

    @property
    def seen_whole(self) -> bool:
        """Whether no row of it is missing, as far as its rows can tell."""
        return self.start_seen and not self.odd

    @property
    def hung_up_itself(self) -> bool:
        """Whether the phone ended it.

        Busy() and Congestion() name a caller's channel too, but while it was not answered, and with causes
        of theirs; once it was, its cause may be stale.
        """
        if self.hangup is None or self.hangup.source != self.name:
            return False
        return self.dialled or self.answered_at is not None or self.hangup.cause in OF_A_CALLER

    @property
    def last_row_at(self) -> Instant:
        return self._last_row.at if self._last_row else self.first_seen

    def first_bridged_at(self) -> Instant | None:
        """When it first came into a bridge that is not for waiting."""
        return next((stay.entered_at for stay in self.stays if not stay.holding), None)

    def take(self, row: CelRow) -> None:
        """Note what `row` says of this channel. Rows of one channel come in order; one told twice counts once."""
        last = self._last_row
        if last is not None and row.at == last.at and row == last:
            return
        self._last_row = row
        self._note_place(row)
        match row.event:
            case "CHAN_START":
                self.odd = self.odd or self.end_seen or bool(self.runs or self.stays)
            case "APP_START":
                self._start_run(row)
            case "APP_END":
                self._end_run(row)
            case "ANSWER":
                self.answered_at = self.answered_at or row.at
                self._see_hidden_run(row)
            case "BRIDGE_ENTER":
                self._enter(row)
            case "BRIDGE_EXIT":
                self._leave(row)
            case "PARK_START":
                self.odd = self.odd or self.parked
                self.parked = True
            case "PARK_END":
                self.odd = self.odd or not self.parked
                self.parked = False
            case "HANGUP":
                self._hang_up(row)
            case "CHAN_END":
                self._end(row.at)
            case _:
                self._see_hidden_run(row)

    def _note_place(self, row: CelRow) -> None:
        self.rung = self.rung or row.app in RINGING_APPS
        if row.dnid and not self.dnid:
            self.dnid = row.dnid
        if row.caller_number:
            self.number_first = self.number_first or row.caller_number
            self.number_now = row.caller_number
        if row.exten and (not self.extens or self.extens[-1] != row.exten):
            self.extens.append(row.exten)
        if row.exten and (not self._places or self._places[-1] != row.exten):
            self._places.append(row.exten)

    def _start_run(self, row: CelRow) -> None:
        if self._running():
            self.odd = True
            self._stop_run(row.at)
        self._run(row)

    def _run(self, row: CelRow) -> None:
        self.runs.append(AppRun(row.app, row.app_data, row.exten, row.at, tuple(self._places)))
        self._places = []

    def _running(self) -> AppRun | None:
        return self.runs[-1] if self.runs and self.runs[-1].ended_at is None else None

    def _see_hidden_run(self, row: CelRow) -> None:
        """A second Dial in a row shows only as other data under the same application."""
        last = self._running()
        if last and last.app == row.app == "Dial" and row.app_data not in ("", last.data):
            last.ended_at = row.at
            self._run(row)
            self.runs[-1].hidden = True

    def _end_run(self, row: CelRow) -> None:
        self._see_hidden_run(row)
        running = self._running()
        if running is None or running.app != row.app:
            self.odd = True
        else:
            running.left_for = row.exten
        elsewhere = running is not None and row.exten != running.exten
        self._stop_run(row.at)
        self._places = [row.exten] if elsewhere and row.exten else []

    def _stop_run(self, at: Instant) -> None:
        running = self._running()
        if running:
            running.ended_at = at

    def _enter(self, row: CelRow) -> None:
        self._see_hidden_run(row)
        if any(stay.left_at is None for stay in self.stays):
            self.odd = True
            self._leave_all(row.at)
        holding = row.extra.get("bridge_technology") == HOLDING
        self.odd = self.odd or "bridge_id" not in row.extra or holding != self.parked
        self.stays.append(Stay(row.extra.get("bridge_id", ""), holding, row.at))

    def _leave(self, row: CelRow) -> None:
        self._see_hidden_run(row)
        bridge_id = row.extra.get("bridge_id", "")
        if not any(stay.left_at is None and stay.bridge_id == bridge_id for stay in self.stays):
            self.odd = True
        self._leave_all(row.at)

    def _leave_all(self, at: Instant) -> None:
        for stay in self.stays:
            if stay.left_at is None:
                stay.left_at = at

    def _hang_up(self, row: CelRow) -> None:
        cause = row.extra.get("hangupcause", "")
        if self.hangup is not None or not cause.isdecimal():
            self.odd = True
        if self.hangup is None:
            self.hangup = Hangup(
                row.at,
                int(cause) if cause.isdecimal() else 0,
                row.extra.get("hangupsource", ""),
                row.extra.get("dialstatus", ""),
            )
        if self.ended_at is None:
            self.ended_at = row.at

    def end_unheard(self, at: Instant) -> None:
        """It lives no more, and the rows that said so were missed."""
        self.odd = self.end_seen = True
        if self.ended_at is None:
            self.ended_at = at
        self._stop_run(self.ended_at)
        self._leave_all(self.ended_at)

    def _end(self, at: Instant) -> None:
        self.odd = self.odd or self.end_seen or self.hangup is None or self._running() is not None
        self.odd = self.odd or any(stay.left_at is None for stay in self.stays)
        answers = any(run.app in ANSWERING_APPS for run in self.runs) or (self.summoned and bool(self.stays))
        self.odd = self.odd or (self.answered_at is None and answers)
        self.end_seen = True
        if self.ended_at is None:
            self.ended_at = at
        self._stop_run(self.ended_at)
        self._leave_all(self.ended_at)


def _unescaped(name: str) -> str:
    r"""Asterisk hands a display name on as SIP had it, with its quoted pairs: `\"` and `\\` (RFC 3261, 25.1)."""
    return QUOTED_PAIR.sub(r"\1", name)


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
        caller_name=_unescaped(row.caller_name),
        account_code=row.account_code,
        is_local=row.channel.startswith("Local/"),
    )
