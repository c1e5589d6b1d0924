"""JSON bodies: of the right type, of a bounded size, every fault told at once."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeAlias, TypeVar

import pydantic_core
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from gateway.api.problems import Fault, Problem, faults_of, invalid

MOST_BYTES = 65_536

Model = TypeVar("Model", bound=BaseModel)
Further: TypeAlias = Callable[[Mapping[str, object]], Awaitable[list[Fault]]]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_printable", "Control characters are not allowed.")
    return text


Printable = AfterValidator(_printable)
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), Printable]
"""Free text of one line."""


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)


def _in_utc(sent: object) -> object:
    """Text alone is read: pydantic takes a number, in quotes too, for seconds since 1970."""
    if not isinstance(sent, str):
        raise PydanticCustomError("wrong_type", "A date-time is text.")
    if not _DATE_TIME.fullmatch(sent):
        raise PydanticCustomError("unreadable_time", "No date-time with its offset, as in 2026-11-01T00:00:00Z.")
    try:
        return datetime.fromisoformat(sent.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # The latter: in UTC it is outside of the calendar.
        raise PydanticCustomError("unreadable_time", "The calendar has no such moment.") from None


DateTime: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_in_utc)]
"""An instant in RFC 3339, kept in UTC."""


async def read_body(request: Request, model: type[Model], further: Further | None = None) -> Model:
    """The body; what was found wrong before with the request (`request.state.faults`) is told with its faults.

    `further`: what is wrong with the fields that can be read, asked only where something else is wrong already.

    Raises: Problem 400, 413, 415 or 422.
    """
    _refuse_other_types(request)
    return await _read(request, await read_bytes(request), model, further)


async def refuse_body(request: Request) -> None:
    """Where a request has nothing to say, no body and `{}` say it. Raises: as `read_body`."""
    content = await read_bytes(request)
    if content.strip():
        _refuse_other_types(request)
        await _read(request, content, _Nothing)


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _refuse_other_types(request: Request) -> None:
    if media_type(request) != "application/json":
        raise Problem(415, "unsupported_media_type", "The body must be application/json.")


async def _read(request: Request, content: bytes, model: type[Model], further: Further | None = None) -> Model:
    found: list[Fault] = request.state.faults
    try:
        read = from_json(content, model)
    except Problem as problem:
        if not problem.faults:
            raise
        found = [*found, *problem.faults]
    else:
        if not found:
            return read
    more = await further(_readable(content, found)) if further else []
    raise invalid([*found, *more]) from None


def _readable(content: bytes, faults: Sequence[Fault]) -> Mapping[str, object]:
    """The fields of a JSON object without those that are at fault; an item of a list that is at fault is None."""
    fields = pydantic_core.from_json(content)
    if not isinstance(fields, dict):
        return {}
    wrong: dict[str, set[str]] = {}
    for fault in faults:
        if fault.where.startswith("/"):
            name, _, below = fault.where[1:].partition("/")
            wrong.setdefault(name, set()).add(below)
    readable: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, list) and all(below.isdecimal() for below in wrong.get(name, ())):
            readable[name] = [None if str(index) in wrong.get(name, ()) else one for index, one in enumerate(value)]
        elif name not in wrong:
            readable[name] = value
    return readable


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_bytes(request: Request) -> bytes:
    """Raises: Problem 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(413, "body_too_large", f"The body may have at most {MOST_BYTES} bytes.")
    return bytes(body)


def from_json(body: bytes, model: type[Model]) -> Model:
    """Raises: Problem 400 or 422."""
    return _validated(lambda: model.model_validate_json(body))


def from_fields(fields: Mapping[str, object], model: type[Model]) -> Model:
    """Of a form. Raises: Problem 422."""
    return _validated(lambda: model.model_validate(fields))


def _validated(validate: Callable[[], Model]) -> Model:
    try:
        return validate()
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors()):
            raise Problem(400, "malformed_json", "The body is not JSON.") from None
        raise invalid(faults_of(error)) from None
