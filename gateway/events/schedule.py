"""When a delivery that failed is tried again: exponential back-off with jitter, for three days."""

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)


def next_try(tries: int, age: timedelta, chance: float) -> timedelta | None:
    """How long to wait after the `tries`-th failure of a delivery `age` old; None: no more.

    `chance` in [0, 1) spreads the wait over half to once its length, so that endpoints that
    fell together do not rise to one blow.
    """
    if age >= GIVE_UP_AFTER:
        return None
    wait = min(FIRST * float(1 << min(tries - 1, 20)), LONGEST)
    return wait * (0.5 + chance / 2)
