"""Rows that must have been there: a record of a call that lacks one of them says that it is not complete."""

import pytest

from tests.unit.calls.tables import told

APPLICATION = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 800@from-internal cid=102 "Bob"
0.001 APP_START    PJSIP/102-0 u=.0 l=.0 800@from-internal app={app}
{answer}
2.000 APP_END      PJSIP/102-0 u=.0 l=.0 800@from-internal app={app}
2.000 HANGUP       PJSIP/102-0 u=.0 l=.0 16 PJSIP/102-0
2.000 LINKEDID_END PJSIP/102-0 u=.0 l=.0
"""
ANSWER = "0.002 ANSWER PJSIP/102-0 u=.0 l=.0 800@from-internal"


@pytest.mark.parametrize("app", ["VoiceMail(103@default)", "VoiceMailMain(102@default)", "ConfBridge(800)"])
def test_an_application_that_answers_has_an_answer(app: str) -> None:
    assert told(APPLICATION.format(app=app, answer=ANSWER)).complete
    assert not told(APPLICATION.format(app=app, answer="")).complete


def test_an_announcement_may_be_played_to_who_is_not_answered() -> None:
    assert told(APPLICATION.format(app="Playback(vm-goodbye)", answer="")).complete


@pytest.mark.parametrize("app", ["AppDial((Outgoing Line))", "AppQueue((Outgoing Line))"])
def test_a_local_channel_that_was_rung_has_something_that_rang_it(app: str) -> None:
    """What a phone sends elsewhere is rung through one, by the Dial or Queue that rang the phone, and FORWARD tells."""
    ringing = """
    0.000 CHAN_START PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
    0.003 CHAN_START Local/104@from-internal-0;1 u=.2 l=.0 s@from-internal
    0.003 CHAN_START Local/104@from-internal-0;2 u=.3 l=.0 104@from-internal
    0.004 APP_START  Local/104@from-internal-0;2 u=.3 l=.0 104@from-internal app=Dial(PJSIP/104,5)
    """
    assert told(ringing).complete
    assert not told(ringing + f"0.500 ANSWER Local/104@from-internal-0;1 u=.2 l=.0 app={app}").complete


ANSWERED_THEN_DIALS = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
0.001 APP_START    PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5)
0.002 CHAN_START   PJSIP/103-1 u=.1 l=.0 s@from-internal
1.000 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.0 bridge=b
1.000 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5) bridge=b
2.000 BRIDGE_EXIT  PJSIP/103-1 u=.1 l=.0 bridge=b
2.000 BRIDGE_EXIT  PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial({data},5) bridge=b
"""


def test_who_shows_the_dial_of_another_took_over_from_them_and_an_event_tells_it() -> None:
    assert told(ANSWERED_THEN_DIALS.format(data="PJSIP/103")).complete
    assert not told(ANSWERED_THEN_DIALS.format(data="PJSIP/105")).complete
