"""What must be recorded of a call, by what the phones did and saw."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.agents import Leg
from tests.chaos.mix import Planned
from tests.chaos.pbx import QUEUES, did
from tests.chaos.plant import Death
from tests.chaos.play import Asked

DYING_SECONDS = 0.5
"""What Asterisk had in hand when it was killed, it may not have written yet."""

RACE_SECONDS = 0.5
"""What two sides do within as much may have been seen in either order."""

REFUSALS = {486: "busy", 603: "declined"}
QUEUE_NUMBERS = frozenset(did(number) for number in QUEUES)


@dataclass(frozen=True, slots=True)
class Truth:
    """Epoch seconds. `outcomes`: what may be recorded; empty: anything. `must`, `may`: be recorded.

    `answered_by`: the device that must be named ("" where it is not certain). `cut`: Asterisk died meanwhile.
    """

    call: Planned
    began: float
    ended: float
    must: bool
    may: bool
    outcomes: frozenset[str]
    answered_by: str
    cut: bool
    rung: int
    """How often the device that was rung most was rung."""


def truth_of(call: Planned, legs: Sequence[Leg], asked: Asked | None, deaths: Sequence[Death]) -> Truth:
    carried = [leg for leg in legs if not leg.caller or leg.saw("trying", "ringing", "answered") or leg.final]
    began = min((leg.began for leg in legs), default=asked.at if asked else 0.0)
    ended = max((leg.last_at for leg in legs), default=began)
    died = [death for death in deaths if began <= death.from_ + 0.2 and ended >= death.from_ - DYING_SECONDS]
    outcomes, answered_by = (
        (_click(legs) if call.kind == "click" else _called(call, legs)) if carried else ({"failed"}, "")
    )
    must, may = bool(carried), bool(legs)
    if asked is not None:
        must, may = must or bool(asked.id), True
    if died:
        death = died[-1]
        if death.from_ - began < DYING_SECONDS:
            must = bool(asked and asked.id)
        if death.orderly:
            outcomes = set()
        elif ended < death.from_:
            outcomes = outcomes | {"lost"}
        else:
            outcomes = {"lost", "failed"} if call.kind == "click" and not carried else {"lost"}
        answered_by = ""
    rung = max((sum(leg.agent is other.agent for other in legs) for leg in legs if not leg.caller), default=0)
    return Truth(call, began, ended, must, may, frozenset(outcomes), answered_by, bool(died), rung)


def _recorded(call: Planned, legs: Sequence[Leg]) -> tuple[set[str], str]:
    """What may be recorded as outcome, and the device that answered."""
    return _click(legs) if call.kind == "click" else _called(call, legs)


def _called(call: Planned, legs: Sequence[Leg]) -> tuple[set[str], str]:
    """A call that a phone made, carried to its end."""
    caller = next(leg for leg in legs if leg.caller)
    callees = [leg for leg in legs if not leg.caller]
    answered = [leg for leg in callees if leg.saw("ack") and leg.saw("sent-200")]
    if call.to in QUEUE_NUMBERS:
        return _queued(caller, callees, answered)
    outcomes: set[str] = set()
    if caller.final == 200:
        outcomes.add("answered")
    gave_up = caller.at("sent-cancel")
    if gave_up is not None:
        outcomes.add("cancelled")
        outcomes |= {REFUSALS[code] for code, at in _refused(callees) if abs(at - gave_up) < RACE_SECONDS}
    elif caller.final != 200:
        outcomes |= _not_answered(callees)
    return outcomes, _device(answered) if outcomes == {"answered"} else ""


def _queued(caller: Leg, callees: Sequence[Leg], answered: Sequence[Leg]) -> tuple[set[str], str]:
    talked = [leg for leg in answered if not leg.saw("cancelled-late")]
    gave_up = caller.at("sent-bye")
    outcomes: set[str] = set()
    if talked:
        outcomes.add("answered")
        at = min(leg.at("sent-200") or 0.0 for leg in talked)
        if gave_up is not None and gave_up - at < RACE_SECONDS:
            outcomes.add("abandoned")
    elif caller.final == 200:
        outcomes.add("abandoned" if gave_up is not None else "timed_out")
        if answered:
            outcomes.add("answered")
        bye = caller.at("bye")
        if gave_up is not None and bye is not None and abs(bye - gave_up) < RACE_SECONDS:
            outcomes.add("timed_out")
    else:
        outcomes |= {"cancelled", "abandoned"}
    return outcomes, _device(talked) if outcomes == {"answered"} else ""


def _click(legs: Sequence[Leg]) -> tuple[set[str], str]:
    """A call that the gateway placed, of which a device of the user's was rung."""
    there = [leg for leg in legs if leg.agent.name == "trunk"]
    here = [leg for leg in legs if leg.agent.name != "trunk"]
    if there:
        outcomes: set[str] = set()
        if any(leg.saw("ack") and leg.saw("sent-200") for leg in there):
            return {"answered"}, ""
        given_up = any(leg.saw("sent-bye") for leg in here)
        cancelled = any(leg.saw("cancelled", "cancelled-late") for leg in there)
        if cancelled:
            outcomes.add("cancelled" if given_up else "no_answer")
        outcomes |= {REFUSALS[code] for code, _ in _refused(there)}
        return outcomes, ""
    if any(leg.saw("sent-200") for leg in here):
        # The user answered, and the destination was never rung: hung up in that moment, or not to be had.
        return {"cancelled", "failed", "no_answer"}, ""
    return _not_answered(here), ""


def _not_answered(callees: Sequence[Leg]) -> set[str]:
    """Who rings on to the end outweighs who refuses; declining outweighs being busy."""
    refused = {REFUSALS[code] for code, _ in _refused(callees)}
    if not callees:
        return {"failed"}
    if any(leg.saw("cancelled", "cancelled-late") for leg in callees):
        return {"no_answer"}
    return {"declined"} if "declined" in refused else refused


def _refused(callees: Sequence[Leg]) -> list[tuple[int, float]]:
    return [(code, at) for leg in callees for code in REFUSALS if (at := leg.at(f"sent-{code}")) is not None]


def _device(answered: Sequence[Leg]) -> str:
    """Who answered first; what came after was a transfer."""
    first = min(answered, key=lambda leg: leg.at("sent-200") or 0.0, default=None)
    return first.agent.name if first is not None else ""
