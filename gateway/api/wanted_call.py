"""A call as it is asked for, and what it means in the account's directory; nothing of it has happened yet."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gateway.api.destinations import fault_of_destination
from gateway.api.problems import Fault, Problem, invalid
from gateway.api.who import Unresolved, user_of
from gateway.calls.directory import Directory, User
from gateway.store.directories import is_on


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_printable", "Control characters are not allowed.")
    return text


Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
RingTimeout: TypeAlias = Annotated[int, Field(ge=5, le=120)]
AnswerTimeout: TypeAlias = Annotated[int, Field(ge=5, le=180)]


class PlaceCall(BaseModel):
    """The body of `POST /v1/calls` and `POST /v1/calls/check`. Timeouts in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user: Line
    to: Line
    caller_id: Line | None = None
    ring_timeout: RingTimeout = 30
    answer_timeout: AnswerTimeout = 60
    reference: Line | None = None


@dataclass(frozen=True, slots=True)
class WantedCall:
    """`caller_id`: what the destination shall see; None: the user's own extension and name."""

    user: User
    to: str
    caller_id: str | None


def wanted_call(directory: Directory, asked: PlaceCall, node: str) -> WantedCall:
    """Raises: Problem 409, or 422 with all faults."""
    if not is_on(directory, node):
        # Under the names of this account's devices, others may ring here.
        raise Problem(409, "other_node", f"The account is not on node {node}: ask its gateway.")
    faults: list[Fault] = []
    user: User | None = None
    try:
        user = user_of(directory, asked.user)
    except Unresolved as error:
        faults.append(error.fault("/user"))
    destination = fault_of_destination(directory, user or User("", "", ""), asked.to)
    if destination is not None:
        faults.append(destination)
    if asked.caller_id is not None and asked.caller_id not in directory.numbers:
        faults.append(Fault("/caller_id", "not_your_number", "The caller ID must be one of the account's numbers."))
    caller_id = asked.caller_id
    if asked.to.startswith("+"):
        caller_id = caller_id or (user and user.caller_id) or next(iter(directory.numbers), None)
        if caller_id is None:
            faults.append(Fault("/caller_id", "no_caller_id", "Neither the user nor the account has a number to show."))
    if caller_id == asked.to:
        faults.append(Fault("/caller_id", "caller_id_is_destination", "A number is not called from itself."))
    if faults or user is None:
        raise invalid(faults)
    return WantedCall(user, asked.to, caller_id)
