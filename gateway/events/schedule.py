"""When a delivery that failed is tried again: exponential back-off with jitter, for three days.

Counted from the first try, not from the event: what an endpoint missed while it was switched
off gets its three days too.
"""

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
MEAN_JITTER = 0.75


def next_try(tries: int, chance: float) -> timedelta | None:
    """How long to wait after the `tries`-th failure; None: no more.

    `chance` in [0, 1) spreads the wait over half to once its length, so that endpoints that
    fell together do not rise to one blow.
    """
    waited = sum((_longest_wait(earlier) for earlier in range(1, tries)), timedelta(0)) * MEAN_JITTER
    if waited >= GIVE_UP_AFTER:
        return None
    return _longest_wait(tries) * (0.5 + chance / 2)


def _longest_wait(tries: int) -> timedelta:
    return min(FIRST * (1 << min(tries - 1, 20)), LONGEST)
