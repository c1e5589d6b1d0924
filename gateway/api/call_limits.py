"""How many calls the gateway places for an account at most: in a minute, and at once."""

from dataclasses import dataclass
from typing import Literal

from gateway.api.problems import Problem
from gateway.calls.directory import Outbound
from gateway.store.originations import Usage


@dataclass(frozen=True, slots=True)
class Limit:
    """`retry_after`: seconds after which it is worth asking again."""

    name: Literal["calls_per_minute", "simultaneous_calls"]
    most: int
    used: int
    code: Literal["too_many_calls_per_minute", "too_many_simultaneous_calls"]
    retry_after: int

    @property
    def reached(self) -> bool:
        return self.used >= self.most

    @property
    def problem(self) -> Problem:
        headers = {"Retry-After": str(self.retry_after)}
        return Problem(429, self.code, "The account's limit is reached.", headers=headers)


def limits(outbound: Outbound, usage: Usage) -> tuple[Limit, ...]:
    """The account's, in the order in which they refuse."""
    return (
        Limit("calls_per_minute", outbound.calls_per_minute, usage.last_minute, "too_many_calls_per_minute", 60),
        Limit("simultaneous_calls", outbound.simultaneous_calls, usage.simultaneous, "too_many_simultaneous_calls", 10),
    )
