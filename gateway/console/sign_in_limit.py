"""How often one may guess: failures are counted per address and per login, in a sliding window."""

from collections import OrderedDict, deque

MOST_FAILURES = 5
WINDOW_SECONDS = 300.0
MOST_SUBJECTS = 10_000


class SignInLimit:
    """Counts in this process; `now` is a monotonic clock's reading in seconds. The oldest subjects are forgotten."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, now: float, *subjects: str) -> float:
        """Seconds until another guess is allowed to all of `subjects`; 0: now."""
        return max((self._wait(now, subject) for subject in subjects), default=0.0)

    def failed(self, now: float, *subjects: str) -> None:
        for subject in subjects:
            self._failures.setdefault(subject, deque(maxlen=MOST_FAILURES)).append(now)
            self._failures.move_to_end(subject)
        while len(self._failures) > MOST_SUBJECTS:
            self._failures.popitem(last=False)

    def succeeded(self, *subjects: str) -> None:
        for subject in subjects:
            self._failures.pop(subject, None)

    def _wait(self, now: float, subject: str) -> float:
        times = self._failures.get(subject)
        if times is None or len(times) < MOST_FAILURES:
            return 0.0
        return max(0.0, times[0] + WINDOW_SECONDS - now)
