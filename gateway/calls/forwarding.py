"""Whether somebody was rung in another's place: a phone's own redirection, or the dialplan's."""

from gateway.calls.case import Case
from gateway.calls.channels import Channel
from gateway.calls.dialling import Ringing


def rung_by_forward(case: Case, leg: Channel, ringing: Ringing) -> bool:
    """Whether the root `ringing` of this leg was for a user, and the leg is not one of that user's devices."""
    wanted = _user_wanted(case, ringing)
    if wanted is None:
        return False
    user = case.user_of(leg)
    return user is None or user.number != wanted


def _user_wanted(case: Case, ringing: Ringing) -> str | None:
    """The number of the first user at whose extension the ringing channel ever stood, if it stood at one."""
    channel = ringing.channel
    runs = [run for run in channel.runs if run.started_at <= ringing.run.started_at]
    places = [place for run in runs for place in case.places(channel, run)]
    return next((place for place in places if case.node.user(case.account, place)), None)
