"""A call as it is asked for, and what it means in the account's directory; nothing of it has happened yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from gateway.api.auth import Caller
from gateway.api.bodies import Line, read_body
from gateway.api.context import context_of
from gateway.api.destinations import fault_of_destination
from gateway.api.directory_of import directory_of
from gateway.api.problems import Fault, Problem, invalid
from gateway.api.who import Unresolved, user_of
from gateway.calls.directory import Directory, User
from gateway.store.directories import is_on


def _whole(value: object) -> object:
    """JSON has one kind of number: 30.0 is 30."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


RingTimeout: TypeAlias = Annotated[int, Field(ge=5, le=120), BeforeValidator(_whole)]
AnswerTimeout: TypeAlias = Annotated[int, Field(ge=5, le=180), BeforeValidator(_whole)]


class PlaceCall(BaseModel):
    """The body of `POST /v1/calls` and `POST /v1/calls/check`. Timeouts in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user: Annotated[Line, Field(description="Id, number or name of a user of the account.")]
    to: Annotated[Line, Field(description="A number in E.164, or an extension of the account other than the user's.")]
    caller_id: Annotated[Line | None, Field(description="One of the account's numbers.")] = None
    ring_timeout: RingTimeout = 30
    answer_timeout: AnswerTimeout = 60
    reference: Line | None = None


@dataclass(frozen=True, slots=True)
class WantedCall:
    """`caller_id`: what the destination shall see; None: the user's own extension and name."""

    user: User
    to: str
    caller_id: str | None


async def read_call(request: Request, caller: Caller) -> PlaceCall:
    """The body; where it cannot be read, what the fields that can be read mean is told with the rest.

    Raises: Problem 400, 413, 415 or 422.
    """

    async def further(fields: Mapping[str, object]) -> list[Fault]:
        try:
            directory = await directory_of(context_of(request), caller)
        except Problem:
            return []
        user, to, caller_id = (
            value if isinstance(value, str) else None for value in map(fields.get, ("user", "to", "caller_id"))
        )
        return _meaning(directory, user, to, caller_id).faults

    return await read_body(request, PlaceCall, further)


def wanted_call(directory: Directory, asked: PlaceCall, node: str) -> WantedCall:
    """Raises: Problem 409, or 422 with all faults."""
    if not is_on(directory, node):
        # Under the names of this account's devices, others may ring here.
        raise Problem(409, "other_node", f"The account is not on node {node}: ask its gateway.")
    meaning = _meaning(directory, asked.user, asked.to, asked.caller_id)
    if meaning.faults or meaning.user is None:
        raise invalid(meaning.faults)
    return WantedCall(meaning.user, asked.to, meaning.caller_id)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Of the fields in the account's directory; `caller_id`: as in `WantedCall`."""

    user: User | None
    caller_id: str | None
    faults: list[Fault]


def _meaning(directory: Directory, user_term: str | None, to: str | None, caller_id: str | None) -> _Meaning:
    """None: what was not sent, or cannot be read."""
    faults: list[Fault] = []
    user: User | None = None
    try:
        user = None if user_term is None else user_of(directory, user_term)
    except Unresolved as error:
        faults.append(error.fault("/user"))
    destination = None if to is None else fault_of_destination(directory, user or User("", "", ""), to)
    if destination is not None:
        faults.append(destination)
    if caller_id is not None and caller_id not in directory.numbers:
        faults.append(Fault("/caller_id", "not_your_number", "The caller ID must be one of the account's numbers."))
    if to is not None and to.startswith("+"):
        caller_id = caller_id or (user and user.caller_id) or next(iter(directory.numbers), None)
        if caller_id is None:
            faults.append(Fault("/caller_id", "no_caller_id", "Neither the user nor the account has a number to show."))
    if caller_id is not None and caller_id == to:
        faults.append(Fault("/caller_id", "caller_id_is_destination", "A number is not called from itself."))
    return _Meaning(user, caller_id, faults)
