"""Mailboxes: a message left, none left, and one's own."""

from tests.lab.phones import Phone
from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, talk_a_little, user_has_set


def _messages(lab: Lab) -> int:
    """How many lie in Carol's mailbox."""
    return len(list((lab.pbx.directory / "spool/voicemail/default/103/INBOX").glob("msg*.txt")))


async def _into_mailbox(phone: Phone, to: str) -> None:
    """Call, and let it ring until the mailbox answers."""
    mark = len(phone.seen)
    await phone.behave(media=True)
    await phone.call(to)
    await phone.wait_for("talking", since=mark)
    await talk_a_little(0.5)


async def _speak(phone: Phone) -> None:
    """Skip the greeting, and say something after the tone."""
    await phone.dtmf("#")
    await talk_a_little(2)


def _expected(lab: Lab, message_left: bool | None, by: str = "caller") -> Expected:
    mailbox = {"mailbox": "103@default", "message_left": message_left}
    attempts = (Rang("PJSIP/103", "no_answer"),)
    return Expected("voicemail", "internal", "102", "103", attempts, by, answered_by="", more={"voicemail": mailbox})


async def voicemail_message(lab: Lab) -> Expected:
    before, mark = _messages(lab), len(lab.bob.seen)
    async with user_has_set(lab, "103", "voicemail"):
        await _into_mailbox(lab.bob, "103")
        await _speak(lab.bob)
        await lab.bob.hang_up()
        await lab.bob.wait_for("over", since=mark)
    await _until_messages(lab, before + 1)
    return _expected(lab, True)


async def voicemail_message_ended_by_key(lab: Lab) -> Expected:
    """The caller ends the message with #, and Asterisk hangs up."""
    before, mark = _messages(lab), len(lab.bob.seen)
    async with user_has_set(lab, "103", "voicemail"):
        await _into_mailbox(lab.bob, "103")
        await _speak(lab.bob)
        await lab.bob.dtmf("#")
        await lab.bob.wait_for("over", since=mark)
    await _until_messages(lab, before + 1)
    return _expected(lab, True, "system")


async def voicemail_greeting_only(lab: Lab) -> Expected:
    before, mark = _messages(lab), len(lab.bob.seen)
    async with user_has_set(lab, "103", "voicemail"):
        await _into_mailbox(lab.bob, "103")
        await lab.bob.hang_up()
        await lab.bob.wait_for("over", since=mark)
    assert _messages(lab) == before
    return _expected(lab, False)


async def voicemail_untold(lab: Lab) -> Expected:
    """The dialplan does not tell whether there is a message."""
    before, mark = _messages(lab), len(lab.bob.seen)
    async with user_has_set(lab, "103", "mailbox"):
        await _into_mailbox(lab.bob, "103")
        await _speak(lab.bob)
        await lab.bob.hang_up()
        await lab.bob.wait_for("over", since=mark)
    await _until_messages(lab, before + 1)
    return _expected(lab, None)


async def voicemail_inbound(lab: Lab) -> Expected:
    did = "+61290000103"
    mark = len(lab.carrier.seen)
    async with user_has_set(lab, "103", "voicemail"):
        await _into_mailbox(lab.carrier, did)
        await _speak(lab.carrier)
        await lab.carrier.hang_up()
        await lab.carrier.wait_for("over", since=mark)
    mailbox = {"mailbox": "103@default", "message_left": True}
    attempts = (Rang("PJSIP/103", "no_answer"),)
    return Expected(
        "voicemail", "inbound", MOBILE, did, attempts, "caller", answered_by="", more={"voicemail": mailbox}
    )


async def voicemail_of_busy_phone(lab: Lab) -> Expected:
    """A phone that is busy sends callers to the mailbox at once."""
    await lab.carol.behave(code=486)
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "103", "voicemail"):
        await _into_mailbox(lab.bob, "103")
        await lab.bob.hang_up()
        await lab.bob.wait_for("over", since=mark)
    mailbox = {"mailbox": "103@default", "message_left": False}
    attempts = (Rang("PJSIP/103", "busy"),)
    return Expected("voicemail", "internal", "102", "103", attempts, "caller", more={"voicemail": mailbox})


async def voicemail_own(lab: Lab) -> Expected:
    """Carol listens to her own messages: an application, not a message left."""
    mark = len(lab.carol.seen)
    await lab.carol.call("*98")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little(0.5)
    await lab.carol.dtmf("1234#")
    await talk_a_little(1)
    await lab.carol.hang_up()
    more: dict[str, object] = {"voicemail": None}
    return Expected("answered", "internal", "103", "*98", (), "caller", answered_by="", more=more)


async def _until_messages(lab: Lab, count: int) -> None:
    """The message is filed a moment after the caller is gone."""
    for _ in range(200):
        if _messages(lab) == count:
            return
        await talk_a_little(0.02)
    raise AssertionError(f"{_messages(lab)} messages in the mailbox, not {count}")


SCENARIOS: tuple[Play, ...] = (
    voicemail_message,
    voicemail_message_ended_by_key,
    voicemail_greeting_only,
    voicemail_untold,
    voicemail_inbound,
    voicemail_of_busy_phone,
    voicemail_own,
)

FOREIGN: tuple[Play, ...] = (voicemail_untold, voicemail_own)
"""That dialplan does not tell whether there is a message."""
