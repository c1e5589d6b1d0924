"""Ladder pictures of recorded calls, for people: a column for each phone, time downwards.

    python -m tests.lab.ladder demo/queue_answered      prints one
    python -m tests.lab.ladder --update                 draws those of docs/call-records.md anew

A page asks for one with `<!-- ladder: demo/queue_answered -->`; the block of code after it is drawn anew.
"""

import asyncio
import re
import sys
from collections.abc import Iterator

from gateway.calls.channels import Channel
from gateway.calls.facts import CallFacts
from gateway.calls.rows import CelRow, Instant
from gateway.calls.talk import talks
from tests.lab.recordings import PROJECT, RECORDINGS, Recording

PAGE = PROJECT / "docs/call-records.md"
PICTURE = re.compile(r"(<!-- ladder: (\S+) -->\n```text\n).*?(```\n)", re.DOTALL)
WIDTH = 24
APPS = {"VoiceMail": "leaves a message for", "VoiceMailMain": "listens to", "ConfBridge": "enters room"}
ENDS = {17: "is busy", 21: "declines", 23: "sends on", 26: "stops ringing"}


def picture(rows: list[CelRow]) -> str:
    """The ladder of a recording's rows: `│` a channel lives, `║` it talks."""
    facts = CallFacts([], rows[0].at)
    for row in rows:
        facts.take(row)
    columns = [channel for channel in facts.channels.values() if not channel.is_local]
    place = {channel.unique_id: number for number, channel in enumerate(columns)}
    lines = [_line("seconds", [channel.endpoint.removeprefix("PJSIP/") for channel in columns])]
    for at, unique_id, text in sorted(_moments(facts, rows), key=lambda moment: moment[0]):
        if unique_id in place:
            cells = [_state(facts, channel, at) for channel in columns]
            cells[place[unique_id]] = f"{_state(facts, columns[place[unique_id]], at) or ' '} {text}"
            lines.append(_line(f"{(at - rows[0].at) / 1_000_000:.2f}", cells))
    return "".join(lines)


def _line(head: str, cells: list[str]) -> str:
    return f"{head:>8}  {''.join(f'{cell[: WIDTH - 1]:{WIDTH}}' for cell in cells)}".rstrip() + "\n"


def _state(facts: CallFacts, channel: Channel, at: Instant) -> str:
    if at < channel.first_seen or (channel.ended_at is not None and at >= channel.ended_at):
        return ""
    talking = any(
        channel.unique_id in talk.parties and talk.started_at <= at and (talk.ended_at is None or at < talk.ended_at)
        for talk in talks(facts)
    )
    return "║" if talking else "│"


def _moments(facts: CallFacts, rows: list[CelRow]) -> Iterator[tuple[Instant, str, str]]:
    for row in rows:
        text = _text(facts.channels[row.unique_id], row) if row.unique_id in facts.channels else None
        if text:
            yield row.at, row.unique_id, text
    for talk in talks(facts):
        for unique_id in talk.parties:
            yield talk.started_at, unique_id, "talks"


def _text(channel: Channel, row: CelRow) -> str | None:
    match row.event:
        case "CHAN_START":
            return "is rung" if channel.dialled else f"dials {channel.exten}"
        case "APP_START" if row.app == "Queue":
            return f"waits in {row.app_data.split(',')[0]}"
        case "APP_START" if row.app in APPS:
            return f"{APPS[row.app]} {row.app_data.split(',')[0]}"
        case "BLINDTRANSFER":
            return f"transfers to {row.extra.get('extension', '')}"
        case "ATTENDEDTRANSFER":
            return "joins the two"
        case "PICKUP":
            return "is picked up"
        case "PARK_START":
            return "is parked"
        case "PARK_END":
            return f"is fetched ({row.extra.get('reason', '').removeprefix('ParkedCall')})"
        case "HANGUP":
            return _end(channel)
    return None


def _end(channel: Channel) -> str:
    cause = channel.hangup.cause if channel.hangup else 0
    if channel.first_bridged_at() is None and cause in ENDS:
        return ENDS[cause]
    return "hangs up" if channel.hung_up_itself else "is ended"


def _cel_rows(recording: Recording) -> list[CelRow]:
    return [row for row in asyncio.run(recording.rows("journal")) if isinstance(row, CelRow)]


def drawn(text: str) -> str:
    """A page with its pictures drawn from the recordings.

    Raises:
        KeyError: a picture's recording does not exist.
    """
    known = {recording.name: recording for recording in RECORDINGS}
    return PICTURE.sub(lambda found: found[1] + picture(_cel_rows(known[found[2]])) + found[3], text)


def main(arguments: list[str]) -> int:
    if arguments == ["--update"]:
        PAGE.write_text(drawn(PAGE.read_text()))
        return 0
    known = {recording.name: recording for recording in RECORDINGS}
    if not arguments or set(arguments) - set(known):
        print(f"give --update, or names of recordings: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in arguments:
        print(f"{name}\n{picture(_cel_rows(known[name]))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
