"""One chaos run: the calls, the faults, the waiting until all is caught up, the comparison."""

import asyncio
import json
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.chaos import mix, schedule
from tests.chaos.agents import Leg
from tests.chaos.compare import Deafness, Document, Span, Verdict, compare, spans_between
from tests.chaos.faults import DEAF_MARGIN_SECONDS, MAKE
from tests.chaos.plant import Plant
from tests.chaos.play import Play
from tests.chaos.schedule import Fault, FaultKind
from tests.chaos.truth import Truth, truth_of

CALLS_PER_SECOND = 8.0
LEAST_SECONDS = 25.0
SETTLE_SECONDS = 120.0
QUIET_SECONDS = 3.0
SAID_SECONDS = 12.0
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Options:
    """`calls_per_second` sets how long it takes. `broken`: see broken.py. `work`: where to leave all logs."""

    seed: int = 1
    calls: int = 150
    faults: int = 11
    journal: bool = True
    calls_per_second: float = CALLS_PER_SECOND
    broken: str = ""
    work: Path | None = None

    @property
    def seconds(self) -> float:
        return max(self.calls / self.calls_per_second, LEAST_SECONDS)


@dataclass(slots=True)
class Result:
    options: Options
    verdict: Verdict
    truths: Sequence[Truth]
    faults: Mapping[FaultKind, int]
    seconds: float
    caught_up: bool
    audit: str
    events: int

    @property
    def right(self) -> bool:
        return self.verdict.right and self.caught_up and self.audit == "agrees"

    def figures(self) -> dict[str, Any]:
        kinds = Counter(truth.call.kind for truth in self.truths)
        return {
            "mode": "journal" if self.options.journal else "ami",
            "seed": self.options.seed,
            "broken": self.options.broken or None,
            "calls": len(self.truths),
            "calls_carried": sum(truth.must for truth in self.truths),
            "calls_by_kind": dict(sorted(kinds.items())),
            "faults": sum(self.faults.values()),
            "faults_by_kind": dict(sorted(self.faults.items())),
            "records": self.verdict.matched,
            "recorded_lost": self.verdict.recorded_lost,
            "incomplete": self.verdict.incomplete,
            "absent_in_gap": self.verdict.absent_in_gap,
            "unmatched_in_gap": self.verdict.unmatched_in_gap,
            "originations_rung": sum(truth.call.kind == "click" and truth.rung > 0 for truth in self.truths),
            "events": self.events,
            **{fault: len(found) for fault, found in self.verdict.found.items()},
            "caught_up": self.caught_up,
            "audit": self.audit,
            "seconds": round(self.seconds, 1),
            "right": self.right,
        }


async def run(options: Options) -> Result:
    began = time.monotonic()
    play = Play(mix.plan(options.seed, options.calls, options.seconds))
    lanes = schedule.plan(options.seed, options.faults, options.seconds)
    made: Counter[FaultKind] = Counter()
    async with Plant(play.crowd, journal=options.journal, broken=options.broken, keep=options.work) as plant:
        since = time.time()
        spare = mix.spare_clicks(options.seed)
        _say(f"{options.calls} calls and {options.faults} faults in {options.seconds:.0f} s, seed {options.seed}")
        async with asyncio.TaskGroup() as group:
            plant.place_a_call = lambda: _begin(group, play.besides(plant, next(spare)))
            group.create_task(play.all(plant))
            for lane in lanes:
                group.create_task(_break(plant, lane, made))
        _say("all calls are over, all that was broken is whole")
        caught_up = await _settle(plant, play)
        documents = await plant.all("/v1/calls", state="all", sort="oldest_first")
        events = await plant.events()
        truths = _truths(plant, play)
        deafness = Deafness() if options.journal else _deafness(plant, since)
        verdict = compare(truths, documents, events, deafness)
        audit = await _audit(plant)
        if options.work:
            _leave(options.work, plant, play, documents, events)
    return Result(options, verdict, truths, made, time.monotonic() - began, caught_up, audit, len(events))


def _begin(group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
    group.create_task(work)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def _break(plant: Plant, lane: Sequence[Fault], made: Counter[FaultKind]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for fault in lane:
        await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
        _say(f"{fault.kind} ({fault.variant:.2f}, {fault.hold:.1f} s)")
        await MAKE[fault.kind](plant, fault)
        made[fault.kind] += 1
        _say(f"{fault.kind} is over")


async def _settle(plant: Plant, play: Play) -> bool:
    """Until nothing is open and nothing more is told, though no call is made any more."""
    loop = asyncio.get_running_loop()
    began = quiet_since = loop.time()
    state: object = None
    waiting = 0
    while loop.time() < began + SETTLE_SECONDS:
        await asyncio.sleep(0.5)
        now = await _state(plant, play)
        if now != state:
            state, quiet_since = now, loop.time()
        settled = now is not None and now[0]
        if settled and loop.time() - quiet_since > QUIET_SECONDS:
            return True
        if not settled and loop.time() - began > SAID_SECONDS * (waiting + 1):
            _say(f"still waiting: {now}")
            waiting += 1
    return False


async def _state(plant: Plant, play: Play) -> tuple[bool, int, int] | None:
    """Whether all is told, and what changes while it is not; None where nobody answers."""
    running = None
    for service in plant.gateways:
        try:
            told = (await plant.api.get(f"{service.url}/v1/status")).json()
            if told["source"]["running"]:
                running = told
        except (httpx.HTTPError, KeyError, ValueError):
            return None
    if running is None:
        return None
    response = await plant.request("GET", "/v1/calls", params={"state": "all", "limit": 1, "include": "total"})
    if response is None:
        return None
    for asked in play.asked.values():
        if asked.id and not asked.over:
            answer = await plant.request("GET", f"/v1/calls/{asked.id}")
            asked.over = answer is not None and answer.json().get("state") == "ended"
    pending = sum(bool(asked.id) and not asked.over for asked in play.asked.values())
    listed = response.json()
    open_calls = running["open_calls"] + pending
    return bool(running["source"]["caught_up"]) and open_calls == 0, open_calls, listed["total"]


def _truths(plant: Plant, play: Play) -> list[Truth]:
    legs: dict[str, list[Leg]] = defaultdict(list)
    for leg in play.crowd.legs:
        legs[leg.identity].append(leg)
    deaths = plant.history.deaths
    return [
        truth_of(call, legs[call.identity], play.asked.get(call.identity), deaths)
        for call in play.planned
        if legs[call.identity] or call.identity in play.asked
    ]


def _deafness(plant: Plant, since: float) -> Deafness:
    """By what the network saw. A gateway hears from its survey to the moment its connection fell silent.

    Whichever leads may have missed what one of them missed; what none could hear was missed for sure.
    """
    until = time.time()
    perhaps = list(plant.history.deaf)
    connected: list[Span] = []
    for service in plant.gateways:
        heard: list[Span] = []
        for session in service.proxy.sessions:
            if session.surveyed:
                end = session.silent or session.closed or until
                heard.append((session.surveyed + DEAF_MARGIN_SECONDS, end - DEAF_MARGIN_SECONDS))
                connected.append((session.opened, session.closed or until))
        perhaps += spans_between(heard, since - 60, until + 60)
    surely = [(start - 1, end + 1) for start, end in spans_between(connected, since, until)]
    return Deafness(surely, perhaps)


async def _audit(plant: Plant) -> str:
    """`gateway audit`, of the leader's files and of the standby's: agrees, or differs."""
    day = 86_400
    moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + shift)) for shift in (-day, 60)]
    agrees = True
    for service in plant.gateways:
        status, output, errors = await service.command("audit", "--from", moments[0], "--to", moments[1])
        if status:
            print(f"audit of {service.name}:\n{output}{errors}", file=sys.stderr)
        agrees = agrees and not status
    return "agrees" if agrees else "differs"


def _leave(place: Path, plant: Plant, play: Play, documents: Sequence[Document], events: Sequence[Document]) -> None:
    """Everything that one needs to see what went wrong."""
    legs = [
        {
            "agent": leg.agent.name,
            "call_id": leg.call_id,
            "identity": leg.identity,
            "caller": leg.caller,
            "began": leg.began,
            "final": leg.final,
            "seen": leg.seen,
        }
        for leg in play.crowd.legs
    ]
    asked = {identity: [one.at, one.id, one.answers] for identity, one in play.asked.items()}
    kept: dict[str, Any] = {"legs": legs, "asked": asked, "documents": documents, "events": events}
    for name, what in kept.items():
        (place / f"{name}.json").write_text(json.dumps(what, indent=0))
    deaths = [(death.from_, death.until, death.orderly) for death in plant.history.deaths]
    (place / "deaths.json").write_text(json.dumps(deaths))
    for service in plant.gateways:
        shutil.copytree(plant.data.place / service.name, place / f"data-{service.name}", dirs_exist_ok=True)
    journals = place / "journal"
    journals.mkdir(exist_ok=True)
    for directory in {plant.pbx.cel_journal.parent, plant.pbx.queue_log.parent}:
        for path in directory.iterdir():
            if path.is_file():
                (journals / path.name).write_bytes(path.read_bytes())


def table(result: Result) -> str:
    """For people: figures, then the first of each thing that is wrong."""
    rows = [f"{name:28} {value}" for name, value in result.figures().items() if not isinstance(value, dict)]
    rows += [f"  fault {name:20} {count}" for name, count in sorted(result.faults.items())]
    for fault, found in result.verdict.found.items():
        rows += [f"{fault}: {text}" for text in found[:SHOWN]]
    return "\n".join(rows)
