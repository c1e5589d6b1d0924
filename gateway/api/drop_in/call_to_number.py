"""`POST /api/integration/v2/call-to-number`: a body in any of three forms, numbers as people write them."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, TypeAlias
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller
from gateway.api.bodies import from_fields, from_json, media_type, read_bytes
from gateway.api.context import context_of
from gateway.api.directory_of import directory_of
from gateway.api.drop_in import envelope
from gateway.api.placing import idempotency_key, place
from gateway.api.problems import Fault, Problem, invalid
from gateway.api.wanted_call import PlaceCall
from gateway.calls.directory import Directory, User
from gateway.numbering import to_e164

MOST_FIELDS = 50
FEWEST_DIGITS_WITH_COUNTRY = 8


def _as_text(value: object) -> object:
    """An integer is a number that lost its quotes; spaces around it mean nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


Number: TypeAlias = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=64)]


class CallToNumber(BaseModel):
    """The body. Fields that nobody here knows are ignored; an empty `caller_id` is none."""

    model_config = ConfigDict(extra="ignore")

    user_number: Number
    number_to_call: Number
    caller_id: Annotated[str, BeforeValidator(_as_text), Field(max_length=64)] | None = None


async def call_to_number(request: Request, caller: Caller) -> Response:
    faults: list[Fault] = []
    key = idempotency_key(request, faults)
    if faults:
        raise invalid(faults)
    asked = await _read(request)
    context = context_of(request)
    directory = await directory_of(context, caller)
    user = _user(directory, asked.user_number)
    meant = {
        "user": user.id,
        "to": _destination(directory, asked.number_to_call),
        "caller_id": _caller_id(directory, user, asked.caller_id),
    }
    try:
        wanted = from_fields(meant, PlaceCall)
        placed = (await place(context, caller, wanted, key)).call
    except Problem as problem:
        raise _under_their_names(problem) from None
    if placed.failure is not None:
        raise Problem(502, "refused_by_asterisk", "The PBX refused the call.")
    return envelope.success(
        {
            "user_name": placed.user_name,
            "user_number": placed.user_number,
            "caller_id": placed.caller_id or placed.user_number,
            "dest_number": placed.destination,
        },
        "The call is being placed.",
    )


def _user(directory: Directory, number: str) -> User:
    for user in directory.users:
        if user.number == number:
            return user
    raise invalid([Fault("/user_number", "unknown_user", "The account has no user with this number.")])


def _destination(directory: Directory, number: str) -> str:
    """E.164, if it can be read as a number of the public network; an extension, and whatever is neither, as it is."""
    return number if number in directory.extensions() else _public(number, directory.country) or number


def _caller_id(directory: Directory, user: User, number: str | None) -> str | None:
    """None, the default, where it is left out, and where the user's own extension stands for it."""
    return None if number in (None, "", user.number) else _public(number, directory.country) or number


def _public(number: str, country: str) -> str | None:
    """As dialled in the country; else with its country's code, though the `+` was lost on the way."""
    public = to_e164(number, country)
    if public is None and number.isdecimal() and len(number) >= FEWEST_DIGITS_WITH_COUNTRY:
        return to_e164(f"+{number}", country)
    return public


def _under_their_names(problem: Problem) -> Problem:
    names = {"/user": "/user_number", "/to": "/number_to_call"}
    faults = [Fault(names.get(fault.where, fault.where), fault.code, fault.detail) for fault in problem.faults]
    return Problem(problem.status, problem.code, problem.detail, faults=faults, headers=problem.headers)


async def _read(request: Request) -> CallToNumber:
    """Raises: Problem 400, 413, 415 or 422."""
    kind = media_type(request)
    if kind == "application/json":
        return from_json(await read_bytes(request), CallToNumber)
    if kind == "application/x-www-form-urlencoded":
        return from_fields(_urlencoded(await read_bytes(request)), CallToNumber)
    if kind == "multipart/form-data":
        return from_fields(await _multipart(request, await read_bytes(request)), CallToNumber)
    raise Problem(415, "unsupported_media_type", "The body must be JSON, a form, or multipart/form-data.")


def _urlencoded(body: bytes) -> dict[str, Any]:
    try:
        return dict(
            parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        )
    except ValueError:
        raise _malformed() from None


async def _multipart(request: Request, body: bytes) -> dict[str, Any]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, whole(), max_files=0, max_fields=MOST_FIELDS)
    try:
        return dict(await parser.parse())
    except (MultiPartException, ValueError, LookupError):
        raise _malformed() from None


def _malformed() -> Problem:
    return Problem(400, "malformed_form", "The body is not of the form that its Content-Type says.")
