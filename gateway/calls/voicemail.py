"""Whether a caller reached a mailbox, and whether a message was left."""

from gateway.calls.case import Case
from gateway.calls.channels import AppRun
from gateway.calls.record import Voicemail

LEAVING = "VoiceMail"
"""The application that takes messages. VoiceMailMain, which plays them, reaches nobody."""

VMSTATUS = "VMSTATUS"
"""The channel variable that VoiceMail sets, where the dialplan tells it: CELGenUserEvent(VMSTATUS,${VMSTATUS})."""


def voicemail(case: Case) -> Voicemail | None:
    """The mailbox that was reached last. `message_left` is None where the dialplan does not say."""
    reached: list[tuple[str, AppRun]] = [
        (channel.unique_id, run)
        for channel in case.facts.channels.values()
        for run in channel.runs
        if run.app == LEAVING
    ]
    if not reached:
        return None
    unique_id, run = max(reached, key=lambda one: one[1].started_at)
    said = next(
        (
            told.text
            for told in case.facts.user_events
            if told.unique_id == unique_id and told.type == VMSTATUS and told.at >= run.started_at
        ),
        None,
    )
    return Voicemail(run.data.partition(",")[0].partition("&")[0], None if not said else said == "SUCCESS")
