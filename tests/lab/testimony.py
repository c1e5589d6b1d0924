"""What a recording's phones logged themselves, held against what was told of its calls.

Nothing here knows what a scenario intended or how the fold decides: a phone says when it was rung and by whom,
when it talked, when it was over and how, and whether it was told that somebody else had answered. A record that
denies any of it is wrong, whatever the scenario says.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from gateway.numbering import to_e164
from tests.lab.scenarios.model import SILENT
from tests.lab.scenarios.verdict import TOLERANCE

COUNTRY = "AU"
OUTSIDE = "carrier"
REFUSED = {486: "busy", 603: "declined", 404: "failed", 484: "failed", 503: "failed"}
"""What a phone's final answer is called in a record."""

ENDED = (200, 487)
"""Final codes of a dialog that somebody ended: after it was answered, and before."""

MOVED = 302
ELSEWHERE = "cause=26"
FEATURES = ("referring", "dialled")
"""A phone that did this asked the PBX for something in the middle of a call."""

Call = Mapping[str, Any]
"""A document of `GET /v1/calls/{id}`."""


@dataclass(frozen=True, slots=True)
class Dialog:
    """One SIP dialog as the phone that took part in it saw it; times are epoch seconds.

    `over` is infinite for one that did not end. `number`: the one at which the outside was called.
    `ended_itself`: nobody sent it BYE or CANCEL. `silent`: the phone was switched off for a while, and its times are
    those of when it read what had come meanwhile.
    """

    phone: str
    incoming: bool
    began: float
    talking: float | None
    over: float
    code: int
    number: str
    shown: tuple[str, str]
    elsewhere: bool
    ended_itself: bool
    asked: bool
    silent: bool

    @classmethod
    def of(cls, phone: str, seen: Sequence[Mapping[str, Any]], *, silent: bool) -> Self:
        first = {one["what"]: one for one in reversed(seen)}
        invite = first["invite"]["message"] if "invite" in first else ""
        over = first.get("over", {"at": float("inf"), "code": 0})
        return cls(
            phone=phone,
            incoming="invite" in first,
            began=seen[0]["at"],
            talking=first["talking"]["at"] if "talking" in first else None,
            over=over["at"],
            code=over["code"],
            number=_found(r"INVITE sip:([^@]*)@", invite) if phone == OUTSIDE else "",
            shown=(
                _found(r'^From: "(.*)" <', invite).replace("\\", ""),
                _found(r"^From: [^\n]*<sip:([^@>]*)@", invite),
            ),
            elsewhere=ELSEWHERE in first["cancel"]["message"] if "cancel" in first else False,
            ended_itself=over["code"] in ENDED and not first.keys() & {"bye", "cancel", "referring"},
            asked=bool(first.keys() & set(FEATURES)),
            silent=silent,
        )

    @property
    def who(self) -> str:
        """The extension at which the phone is; devices of one user share it."""
        return self.device.split("-")[0]

    @property
    def device(self) -> str:
        """Contacts of one device share it."""
        return self.phone.split("/")[0]

    def is_of(self, attempt: Call) -> bool:
        """Whether this is the ringing that an attempt tells of."""
        device = str(attempt["device"] or "").removeprefix("PJSIP/")
        named = self.device == device or attempt["number"] in (self.number or self.phone, self.number)
        return self.incoming and named and (self.silent or _near(self.began, attempt["started_at"]))

    def is_at(self, party: Call) -> bool:
        """Whether this party of a record may be at this phone; the outside has any number that is no extension."""
        return party["number"] == self.who or (self.phone == OUTSIDE and len(str(party["number"])) != len("101"))

    def overlap(self, other: "Dialog") -> float:
        """Seconds in which both talked."""
        if self.talking is None or other.talking is None:
            return 0.0
        return max(0.0, min(self.over, other.over) - max(self.talking, other.talking))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else ""


def dialogs(phones: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Dialog]:
    """Those of a recording's `phones.json`, in the order in which they began."""
    found = []
    for phone, seen in phones.items():
        silent = any(one["what"] == SILENT for one in seen)
        by_call: dict[str, list[Mapping[str, Any]]] = {}
        for one in seen:
            if one["call"]:
                by_call.setdefault(one["call"], []).append(one)
        found += [Dialog.of(phone, of_call, silent=silent) for of_call in by_call.values()]
    return sorted(found, key=lambda dialog: dialog.began)


def contradictions(calls: Sequence[Call], seen: Sequence[Dialog], known: Iterable[str]) -> list[str]:
    """What the phones deny of these calls, or know and the calls do not say; `known`: the devices of directories."""
    wrong = [*_of_ringing(calls, seen, frozenset(known))]
    for call in calls:
        wrong += [*_of_caller(call, seen), *_of_callee(call), *_of_segments(call, seen)]
    if len(calls) == 1:
        wrong += [*_of_talk(calls[0], seen), *_of_end(calls[0], seen)]
    return wrong


# ── who rang, and what came of it ───────────────────────────────────────────


def _of_ringing(calls: Sequence[Call], seen: Sequence[Dialog], known: frozenset[str]) -> Iterator[str]:
    matched: set[Dialog] = set()
    for call in calls:
        for attempt in call["attempts"]:
            if attempt["result"] == "unreachable" or attempt["via"] == "pickup":
                continue  # no phone was rung
            rang = [dialog for dialog in seen if dialog.is_of(attempt)]
            matched |= set(rang)
            if not rang:
                yield f"{_name(attempt)} was told to ring at {attempt['started_at']}, and no such phone was rung then"
            elif call["outcome"] != "lost":  # what phones do after Asterisk died it cannot know
                yield from _of_attempt(call, attempt, rang, seen)
    for dialog in seen:
        if dialog.incoming and dialog not in matched and (dialog.device in known or dialog.number) and calls:
            yield f"{dialog.phone} {dialog.number} was rung at {dialog.began:.3f}, and no attempt tells of it"


def _of_attempt(call: Call, attempt: Call, rang: Sequence[Dialog], seen: Sequence[Dialog]) -> Iterator[str]:
    """One attempt beside what its phone says, or its phones, where a device has several contacts."""
    told, who = attempt["result"], _name(attempt)
    reached = [at for one in rang if (at := _reached(one, attempt, seen)) is not None]
    if (told == "answered") is not bool(reached):
        yield f"{who}: {told}, but its phone {'talked' if reached else 'talked with nobody'}"
    if reached and attempt["answered_at"] and not _near(min(reached), attempt["answered_at"]):
        yield f"{who}: answered at {attempt['answered_at']}, but its phone at {min(reached):.3f}"
    if reached:
        return
    refused = {REFUSED[one.code] for one in rang if one.code in REFUSED}
    if (refused or told in REFUSED.values()) and told not in refused:
        yield f"{who}: {told}, but its phone said {[one.code for one in rang]}"
    picked_up = any(other["via"] == "pickup" for other in call["attempts"])
    moved = any(one.code == MOVED for one in rang)
    elsewhere = any(one.elsewhere for one in rang)
    if elsewhere is not (told == "answered_elsewhere") and not (picked_up or moved):
        yield f"{who}: {told}, but its phone was {'' if elsewhere else 'not '}told that another had answered"


def _reached(dialog: Dialog, attempt: Call, seen: Sequence[Dialog]) -> float | None:
    """When this phone talked with somebody: one that took a call but not the caller did not (follow-me).

    The user for whom a call is placed answers alone.
    """
    if dialog.talking is None or attempt["via"] == "click_to_call":
        return dialog.talking
    both = [max(dialog.talking, other.talking or 0) for other in seen if other is not dialog and dialog.overlap(other)]
    return min(both, default=None)


# ── who called, and whom ────────────────────────────────────────────────────


def _of_caller(call: Call, seen: Sequence[Dialog]) -> Iterator[str]:
    caller = call["caller"]
    placed = any(attempt["via"] == "click_to_call" for attempt in call["attempts"])
    began = [one for one in seen if one.silent or _near(one.began, call["started_at"])]
    if not any(one.incoming is placed and one.is_at(caller) for one in began):
        how = "was not rung first" if placed else "did not call"
        yield f"the caller {caller['number']} {how} at {call['started_at']}: {[one.phone for one in began]}"
    rung = next((one for one in seen if one.incoming and one.phone != OUTSIDE and _rang_in(one, call)), None)
    if rung is not None and not placed and call["direction"] != "outbound":
        yield from _of_shown(caller, rung)


def _rang_in(dialog: Dialog, call: Call) -> bool:
    return any(dialog.is_of(attempt) for attempt in call["attempts"])


def _of_shown(caller: Call, rung: Dialog) -> Iterator[str]:
    """The dialplan may put words before the name, and write the number as it is dialled at home."""
    name, number = rung.shown
    public = None if number == "anonymous" else to_e164(number, COUNTRY) or number
    if public != caller["number"]:
        yield f"the caller is {caller['number']}, but {rung.phone} was shown {number}"
    if caller["name"] and not name.endswith(caller["name"]):
        yield f"the caller is {caller['name']!r}, but {rung.phone} was shown {name!r}"


def _of_callee(call: Call) -> Iterator[str]:
    """Who was rung by nothing but the dialling is whom the call was for; that they rang, their phones say."""
    rung = next((one for one in call["attempts"] if one["via"] not in ("click_to_call", "pickup")), None)
    if rung is None or rung["via"] != "direct":
        return
    callee = call["callee"]
    if callee["user"] and callee["user"] != rung["user"]:
        yield f"the callee is {callee['user']['name']}, but {_name(rung)} rang first"
    if call["direction"] == "outbound" and to_e164(callee["number"], COUNTRY) not in (None, rung["number"]):
        yield f"the callee is {callee['number']}, but {_name(rung)} rang first"


# ── who talked, and how long ────────────────────────────────────────────────


def _of_segments(call: Call, seen: Sequence[Dialog]) -> Iterator[str]:
    for segment in call["segments"]:
        since, until = _seconds(segment["started_at"]), _seconds(segment["ended_at"])
        for party in segment["parties"]:
            if not any(
                one.is_at(party)
                and one.talking is not None
                and one.talking - TOLERANCE < since
                and until < one.over + TOLERANCE
                for one in seen
            ):
                yield f"{party['number']} did not talk all the time from {since:.3f} to {until:.3f}"


def _of_talk(call: Call, seen: Sequence[Dialog]) -> Iterator[str]:
    """Where no more than two phones were on a line, and neither asked for anything, both talking is talk.

    A room, such as a page is spoken into, is entered alone.
    """
    talked = [one for one in seen if one.talking is not None]
    room = call["outcome"] == "answered" and call["answered_by"] is None
    if len(talked) > 2 or any(one.asked for one in talked) or room or call["outcome"] == "lost":
        return
    together = talked[0].overlap(talked[1]) if len(talked) == 2 else 0.0
    if abs(together - call["talk_duration"]) > TOLERANCE:
        yield f"{call['talk_duration']} s of talk, but the phones talked for {together:.3f} s"


def _of_end(call: Call, seen: Sequence[Dialog]) -> Iterator[str]:
    """Whose phone ended the last dialogs, sending BYE or CANCEL, not being sent it."""
    if call["outcome"] == "lost" or any(one.silent for one in seen):
        return
    last = max((one.over for one in seen), default=0.0)
    ending = [one for one in seen if one.ended_itself and last - one.over < TOLERANCE]
    caller = next((one for one in seen if not one.incoming and _near(one.began, call["started_at"])), None)
    if caller is None:
        return
    by = "caller" if caller in ending else "callee" if ending else None
    if by is not None and call["hung_up_by"] != by:
        yield f"hung up by {call['hung_up_by']}, but it was {[one.phone for one in ending]} that did"
    if by is None and call["hung_up_by"] == "caller":
        yield "hung up by the caller, whose phone was hung up on"


def _name(attempt: Call) -> str:
    return str(attempt["device"] or attempt["number"])


def _near(at: float, told: str) -> bool:
    return abs(at - _seconds(told)) < TOLERANCE


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
