"""Calls that nobody recorded: a switch that writes CEL as Asterisk does, driven at random, and rubbish.

The switch keeps to what CEL.md and the recordings show: what is emitted when, under which linked
id, and in which order. Its calls are whole, so a record of one must say that it is complete.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

from gateway.calls.rows import NOTHING, CelRow, Instant, Row

START = 1_795_489_263_000_000
DEVICES = {"101-desk": "101", "101-mobile": "101", "102": "102", "103": "103", "104": "104", "105": "105"}
MOBILE, OUTSIDE, DID = "+61411000999", "+61255501234", "+61290000001"
LEG_ENDS = {"no_answer": (0, ""), "busy": (17, "own"), "declined": (21, "own"), "failed": (34, "own")}
"""How a leg that is not answered ends: its cause, and whether it names itself as the source."""


@dataclass(slots=True)
class Leg:
    """A channel of the switch."""

    name: str
    unique_id: str
    linked_id: str
    exten: str
    context: str
    number: str
    app: str = ""
    data: str = ""
    bridge: str = ""
    alive: bool = True


@dataclass
class Switch:
    """One Asterisk. Its clock goes on with every row, by little within one act and by more between acts."""

    random: Random
    now: Instant = START
    rows: list[Row] = field(default_factory=list)
    made: int = 0
    """Channels and bridges so far: what tells their ids apart."""
    _holders: Counter[str] = field(default_factory=Counter)

    def wait(self, most: int = 8_000) -> None:
        """Milliseconds that people let pass."""
        self.now += self.random.randint(100, most) * 1000

    def emit(self, event: str, leg: Leg, user_type: str = "", **extra: str) -> None:
        self.now += self.random.randint(1, 400)
        self.rows.append(
            CelRow(
                event, self.now, leg.name, leg.unique_id, leg.linked_id, leg.exten, leg.context, leg.number, "",
                leg.app, leg.data, user_type=user_type, extra=extra or NOTHING,
            )
        )  # fmt: skip

    # ── channels ────────────────────────────────────────────────────────────

    def start(self, endpoint: str, exten: str, context: str, number: str, linked_id: str = "", name: str = "") -> Leg:
        unique_id = f"{self.now // 1_000_000}.{self.made}"
        name = name or f"{endpoint}-{self.made:08x}"
        leg = Leg(name, unique_id, linked_id or unique_id, exten, context, number)
        self.made += 1
        self._holders[leg.linked_id] += 1
        self.emit("CHAN_START", leg)
        return leg

    def caller(self, endpoint: str, exten: str) -> Leg:
        outside = endpoint == "trunk"
        number = MOBILE if outside else DEVICES[endpoint]
        return self.start(f"PJSIP/{endpoint}", exten, "from-trunk" if outside else "from-internal", number)

    def run(self, leg: Leg, app: str, data: str) -> None:
        """The dialplan goes on; an application after itself is not told."""
        told = leg.app != app
        if told:
            self.stop(leg)
        leg.app, leg.data = app, data
        if told:
            self.emit("APP_START", leg)

    def stop(self, leg: Leg) -> None:
        if leg.app:
            self.emit("APP_END", leg)
            leg.app = leg.data = ""

    def ring(self, by: Leg, endpoint: str) -> Leg:
        return self.start(f"PJSIP/{endpoint}", "s", "from-internal", DEVICES.get(endpoint, ""), by.linked_id)

    def local_pair(self, by: Leg, exten: str, context: str, first_exten: str) -> tuple[Leg, Leg]:
        """The half that is rung or joined, and the half that runs the dialplan."""
        name = f"Local/{exten}@{context}-{self.made:08x}"
        one = self.start("Local", first_exten, context, "", by.linked_id, f"{name};1")
        return one, self.start("Local", exten, context, "", by.linked_id, f"{name};2")

    def answer(self, leg: Leg) -> None:
        self.emit("ANSWER", leg)

    def hang_up(self, leg: Leg, cause: int = 16, source: str = "") -> None:
        if not leg.alive:
            return
        self.leave(leg)
        self.stop(leg)
        leg.alive = False
        self.emit(
            "HANGUP", leg, hangupcause=str(cause), hangupsource=leg.name if source == "own" else source, dialstatus=""
        )
        self.emit("CHAN_END", leg)
        self._let_go(leg)

    def _let_go(self, leg: Leg) -> None:
        self._holders[leg.linked_id] -= 1
        if not self._holders[leg.linked_id]:
            self.emit("LINKEDID_END", leg)

    def move(self, leg: Leg, linked_id: str) -> None:
        """The channel goes over to an older linked id; no row says so but the end of its own."""
        if leg.linked_id != linked_id:
            self._let_go(leg)
            leg.linked_id = linked_id
            self._holders[linked_id] += 1

    # ── bridges ─────────────────────────────────────────────────────────────

    def bridge(self, *legs: Leg) -> None:
        self.made += 1
        for leg in legs:
            self.enter(leg, f"bridge-{self.made}")

    def enter(self, leg: Leg, bridge: str, technology: str = "simple_bridge") -> None:
        self.leave(leg)
        leg.bridge = bridge
        self.emit("BRIDGE_ENTER", leg, bridge_id=bridge, bridge_technology=technology)

    def leave(self, leg: Leg) -> None:
        if leg.bridge:
            bridge, leg.bridge = leg.bridge, ""
            self.emit("BRIDGE_EXIT", leg, bridge_id=bridge, bridge_technology="simple_bridge")


@dataclass
class Play:
    """One call on a switch, acted out at random. `talked`: whether the caller ever talked with anybody."""

    switch: Switch
    talked: bool = False

    def act(self) -> None:
        switch, random = self.switch, self.switch.random
        endpoint = random.choice(["trunk", *DEVICES])
        exten = DID if endpoint == "trunk" else random.choice(["102", "103", "600", "700", OUTSIDE])
        caller = switch.caller(endpoint, exten)
        for _ in range(random.randint(0, 2)):
            leg = self._ring_somebody(caller)
            if leg is None:
                continue
            self._talk(caller, leg)
            break
        if caller.alive:
            switch.wait()
            switch.hang_up(caller, 16, random.choice(["own", "dialplan/builtin"]))

    def _ring_somebody(self, caller: Leg) -> Leg | None:
        """Dial or Queue: several legs, of which one may answer."""
        switch, random = self.switch, self.switch.random
        others = [name for name in DEVICES if f"PJSIP/{name}-" not in caller.name]
        wanted = random.sample(others, random.randint(1, 3))
        by_queue = random.random() < 0.3
        data = "support,tT,,,12" if by_queue else "&".join(f"PJSIP/{name}" for name in wanted) + ",8,tT"
        switch.run(caller, "Queue" if by_queue else "Dial", data)
        if not by_queue and random.random() < 0.2:
            return self._ring_through_local(caller, wanted[0])
        legs = [switch.ring(caller, name) for name in wanted]
        switch.wait()
        return self._one_answers(caller, legs)

    def _one_answers(self, caller: Leg, legs: list[Leg]) -> Leg | None:
        switch, random = self.switch, self.switch.random
        if random.random() < 0.15:
            return self._picked_up(caller, legs)
        winner = random.choice([None, *legs])
        if winner is None:
            for leg in legs:
                cause, source = LEG_ENDS[random.choice(list(LEG_ENDS))]
                switch.hang_up(leg, cause, source)
            switch.stop(caller)
            return None
        switch.answer(winner)
        for leg in legs:
            if leg is not winner:
                switch.hang_up(leg, 26)
        switch.answer(caller)
        switch.bridge(winner, caller)
        self.talked = True
        return winner

    def _picked_up(self, caller: Leg, legs: list[Leg]) -> Leg:
        """Somebody else takes the call that rings: their linked id ends, and they talk on under the caller's."""
        switch = self.switch
        rang = switch.random.choice(legs)
        picker = switch.caller(self._free(caller, *legs), "*8")
        switch.answer(picker)
        switch.emit("PICKUP", rang, pickup_channel=picker.name, pickup_channel_uniqueid=picker.unique_id)
        switch.answer(caller)
        switch.hang_up(rang, 16)
        for leg in legs:
            switch.hang_up(leg, 26)
        switch.bridge(picker)
        joined = picker.bridge
        switch.move(picker, caller.linked_id)
        switch.enter(caller, joined)
        self.talked = True
        return picker

    def _ring_through_local(self, caller: Leg, name: str) -> Leg | None:
        """A pair of Local halves between the caller and the phone; they stay to the end."""
        switch = self.switch
        caller.data = f"Local/{DEVICES[name]}@agents/n,8"
        one, two = switch.local_pair(caller, DEVICES[name], "agents", "s")
        switch.run(two, "Dial", f"PJSIP/{name},8")
        leg = switch.ring(two, name)
        switch.wait()
        if switch.random.random() < 0.4:
            switch.hang_up(leg, 0)
            switch.hang_up(two, 0)
            switch.hang_up(one, 0)
            switch.stop(caller)
            return None
        switch.answer(leg)
        switch.answer(two)
        switch.bridge(leg, two)
        switch.answer(one)
        switch.answer(caller)
        switch.bridge(one, caller)
        self.talked = True
        switch.wait()
        switch.hang_up(leg, 16, "own")
        switch.hang_up(two, 16, leg.name)
        switch.hang_up(one)
        switch.hang_up(caller)
        return leg

    def _talk(self, caller: Leg, leg: Leg) -> None:
        switch, random = self.switch, self.switch.random
        for _ in range(random.randint(0, 2)):
            if not (caller.alive and leg.alive):
                return
            switch.wait()
            step = random.choice([self._blind, self._attended, self._attended_by_key, self._park])
            leg = step(caller, leg) or leg
        if caller.alive and leg.alive:
            switch.wait()
            source = random.choice([caller, leg]).name
            for one in random.sample([caller, leg], 2):
                switch.hang_up(one, 16, source)

    def _blind(self, caller: Leg, leg: Leg) -> Leg | None:
        """The callee sends the caller on: Dial follows Dial, so that only its data tell."""
        switch = self.switch
        target = self._free(caller, leg)
        switch.emit(
            "BLINDTRANSFER", leg, extension=DEVICES[target], context="from-internal", bridge_id=leg.bridge,
            transferee_channel_name=caller.name, transferee_channel_uniqueid=caller.unique_id,
        )  # fmt: skip
        switch.leave(leg)
        switch.leave(caller)
        switch.hang_up(leg)
        caller.exten = DEVICES[target]
        switch.run(caller, "Dial", f"PJSIP/{target},8")
        new = switch.ring(caller, target)
        switch.wait()
        if switch.random.random() < 0.4:
            switch.hang_up(new, 17, "own")
            switch.hang_up(caller, 17, "dialplan/builtin")
            return None
        switch.answer(new)
        switch.bridge(new, caller)
        return new

    def _attended(self, caller: Leg, leg: Leg) -> Leg | None:
        """By the phone's own second call, which is then joined: its linked id ends, its parties talk on."""
        switch = self.switch
        target = self._free(caller, leg)
        endpoint = leg.name.rpartition("-")[0].removeprefix("PJSIP/")
        second = switch.caller(endpoint, DEVICES[target])
        switch.run(second, "Dial", f"PJSIP/{target},8")
        new = switch.ring(second, target)
        switch.wait()
        switch.answer(new)
        switch.answer(second)
        switch.bridge(new, second)
        switch.wait()
        bridges = {"bridge1_id": leg.bridge, "bridge2_id": new.bridge}
        joined = new.bridge
        switch.leave(caller)
        switch.leave(second)
        switch.enter(caller, joined)
        switch.emit(
            "ATTENDEDTRANSFER", leg, **bridges, channel2_name=second.name, channel2_uniqueid=second.unique_id,
            transferee_channel_name=caller.name, transferee_channel_uniqueid=caller.unique_id,
            transfer_target_channel_name=new.name, transfer_target_channel_uniqueid=new.unique_id,
        )  # fmt: skip
        switch.move(new, caller.linked_id)
        switch.hang_up(second)
        switch.hang_up(leg)
        return new

    def _attended_by_key(self, caller: Leg, leg: Leg) -> Leg | None:
        """Through a Local pair of the same linked id, which stays between the two."""
        switch = self.switch
        target = self._free(caller, leg)
        held = caller.bridge
        one, two = switch.local_pair(leg, DEVICES[target], "from-internal", DEVICES[target])
        switch.run(two, "Dial", f"PJSIP/{target},8")
        switch.bridge(one)
        consultation = one.bridge
        switch.enter(leg, consultation)
        new = switch.ring(two, target)
        switch.wait()
        if switch.random.random() < 0.3:
            switch.hang_up(new, 17, "own")
            switch.hang_up(two, 17, "dialplan/builtin")
            switch.hang_up(one, 17)
            switch.enter(leg, held)
            return leg
        switch.answer(new)
        switch.answer(two)
        switch.bridge(new, two)
        switch.answer(one)
        switch.wait()
        switch.leave(leg)
        switch.enter(one, held)
        switch.emit(
            "ATTENDEDTRANSFER", leg, bridge1_id=held, channel2_name=leg.name, channel2_uniqueid=leg.unique_id,
            bridge2_id=consultation, transferee_channel_name=caller.name,
            transferee_channel_uniqueid=caller.unique_id, transfer_target_channel_name=one.name,
            transfer_target_channel_uniqueid=one.unique_id,
        )  # fmt: skip
        switch.hang_up(leg, 16, "own")
        switch.wait()
        switch.hang_up(new, 16, "own")
        switch.hang_up(two)
        switch.hang_up(one)
        switch.hang_up(caller)
        return None

    def _park(self, caller: Leg, leg: Leg) -> Leg | None:
        switch = self.switch
        parker = leg.name.rpartition("-")[0]
        switch.emit(
            "BLINDTRANSFER", leg, extension="70", context="from-internal", bridge_id=leg.bridge,
            transferee_channel_name=caller.name, transferee_channel_uniqueid=caller.unique_id,
        )  # fmt: skip
        switch.leave(caller)
        switch.emit("PARK_START", caller, parker_dial_string=parker, parking_lot="default")
        switch.made += 1
        switch.enter(caller, f"bridge-{switch.made}", "holding_bridge")
        switch.hang_up(leg)
        switch.wait()
        if switch.random.random() < 0.4:
            switch.leave(caller)
            switch.emit("PARK_END", caller, reason="ParkedCallGiveUp")
            switch.hang_up(caller, 16, "own")
            return None
        fetcher = switch.caller(self._free(caller, leg), "71")
        switch.run(fetcher, "ParkedCall", "default,71")
        switch.answer(fetcher)
        switch.leave(caller)
        switch.emit("PARK_END", caller, reason="ParkedCallUnparked", retriever=fetcher.name)
        switch.move(fetcher, caller.linked_id)
        switch.bridge(fetcher, caller)
        return fetcher

    def _free(self, *busy: Leg) -> str:
        engaged = {leg.name.rpartition("-")[0].removeprefix("PJSIP/") for leg in busy}
        return self.switch.random.choice([name for name in DEVICES if name not in engaged])


@dataclass(frozen=True)
class Generated:
    """`rows` of each call by itself, and whether its caller talked with anybody."""

    rows: list[Row]
    talked: bool


def played(random: Random, start: Instant, first_channel: int) -> Generated:
    switch = Switch(random, start, made=first_channel)
    play = Play(switch)
    play.act()
    return Generated(switch.rows, play.talked)


@st.composite
def generated_calls(draw: st.DrawFn, most: int = 3) -> list[Generated]:
    """Calls of one switch that may overlap in time; merge them by time to have its file."""
    random = draw(st.randoms(use_true_random=False))
    count = draw(st.integers(1, most))
    return [played(random, START + random.randint(0, 20_000_000), 1000 * place) for place in range(count)]


def in_one_file(calls: Sequence[Sequence[Row]]) -> list[Row]:
    """In order of time; each call's rows keep their own order, which the switch's clock gave them."""
    return sorted((row for rows in calls for row in rows), key=lambda row: row.at)


# ── rubbish ─────────────────────────────────────────────────────────────────

EVENTS = (
    "CHAN_START", "CHAN_END", "APP_START", "APP_END", "ANSWER", "HANGUP", "BRIDGE_ENTER", "BRIDGE_EXIT",
    "PARK_START", "PARK_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "FORWARD", "USER_DEFINED",
    "LINKEDID_END", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "STREAM_BEGIN", "STREAM_END", "",
)  # fmt: skip
EXTRA_KEYS = (
    "hangupcause", "hangupsource", "dialstatus", "bridge_id", "bridge1_id", "bridge2_id", "bridge_technology",
    "extension", "context", "forward", "extra", "reason", "retriever", "parker_dial_string", "parking_lot",
    "pickup_channel", "pickup_channel_uniqueid", "channel2_name", "channel2_uniqueid", "transferee_channel_name",
    "transferee_channel_uniqueid", "transfer_target_channel_name", "transfer_target_channel_uniqueid", "local_two",
    "local_two_uniqueid",
)  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
"""Lone surrogates too."""

DATA = (
    "",
    "PJSIP/102",
    "PJSIP/102&PJSIP/103,8,tT",
    "PJSIP/",
    "&&,",
    "Local/102@x/n",
    "support,,,",
    "/",
    "PJSIP/@trunk",
)


def rubbish(rows: Sequence[Row], start: Instant) -> st.SearchStrategy[CelRow]:
    """Rows that mean nothing, about the channels of `rows` or of none, or about no channel at all."""
    known = [row for row in rows if isinstance(row, CelRow)]
    names = sorted({row.channel for row in known})
    ids = sorted({unique_id for row in known for unique_id in (row.unique_id, row.linked_id)})
    bridges = sorted({row.extra["bridge_id"] for row in known if "bridge_id" in row.extra})
    channel = st.sampled_from([*names, "", "-", "/", "Local/", "Local/x@y-0;1", "Local/x@y-0;2", "PJSIP/102-ff"])
    unique_id = st.sampled_from([*ids, "", ".", "1795489999.999", "x" * 36])
    value = st.one_of(st.sampled_from([*names, *ids, *bridges, "holding_bridge", "16", "²", "-1"]), ANY_TEXT)
    return st.builds(
        CelRow,
        event=st.one_of(st.sampled_from(EVENTS), ANY_TEXT),
        at=st.integers(start - 5_000_000, start + 60_000_000),
        channel=st.one_of(channel, ANY_TEXT),
        unique_id=unique_id,
        linked_id=unique_id,
        exten=st.one_of(st.sampled_from(["", "s", "102", "600", "700", "*98", "h"]), ANY_TEXT),
        context=ANY_TEXT,
        caller_number=ANY_TEXT,
        caller_name=ANY_TEXT,
        app=st.sampled_from(["", "Dial", "Queue", "AppDial", "VoiceMail", "ConfBridge", "Pickup", "ParkedCall", "X"]),
        app_data=st.one_of(st.sampled_from(DATA), ANY_TEXT),
        peer=channel,
        dnid=ANY_TEXT,
        user_type=st.sampled_from(["", "QUEUESTATUS", "VMSTATUS", "X"]),
        extra=st.dictionaries(st.sampled_from(EXTRA_KEYS), value, max_size=4),
    )


@st.composite
def riffled(draw: st.DrawFn, one: Sequence[Row], two: Sequence[Row]) -> list[Row]:
    """Two files as one, each in its own order."""
    turns = draw(st.lists(st.booleans(), min_size=len(one) + len(two), max_size=len(one) + len(two)))
    left, right = list(reversed(one)), list(reversed(two))
    found: list[Row] = []
    for turn in turns:
        first = (turn and bool(left)) or not right
        found.append((left if first else right).pop())
    return found
