"""The parameters of the lists: read all at once, so that all faults are told at once."""

from collections.abc import Callable, Collection, Iterable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from gateway.api import moments
from gateway.api.cursors import MOST_CHARACTERS
from gateway.api.formats import Format
from gateway.api.problems import Fault, parameter_faults_of, too_many_parameters
from gateway.api.read_directories import ReadDirectory
from gateway.api.who import Unresolved
from gateway.calls.record import AttemptResult, Direction, Outcome
from gateway.numbering import to_e164
from gateway.store.list_query import Filter, ResultColumn, Sort, StateFilter

MOST_OFFSET = 10_000_000
MOST_TERMS = 100
REPEATABLE = frozenset({"user", "queue", "ring_group"})

Model = TypeVar("Model", bound=BaseModel)
Found = TypeVar("Found")

_DIRECTION = "(inbound|outbound|internal)"
_RESULT = "(answered|missed|answered_elsewhere|busy|declined|failed|cancelled|voicemail)"

UserCallType: TypeAlias = Annotated[str, Field(pattern=f"^user_{_DIRECTION}_{_RESULT}$")]
ShownUserCallType: TypeAlias = Annotated[
    str,
    Field(
        pattern=f"^user_{_DIRECTION}(_{_RESULT})?$", description="Without a result as long as the user's part has none."
    ),
]
QueueStatus: TypeAlias = Literal[
    "answered", "abandoned", "timed_out", "left_by_key", "joined_empty", "left_empty", "failed", "left"
]
RingGroupStatus: TypeAlias = Literal["answered", "no_answer", "busy", "cancelled", "failed"]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul_character", "The character NUL is not allowed.")
    return text


Text: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=255, json_schema_extra={"pattern": r"^[^\u0000]*$"}),
    AfterValidator(_without_nul),
]
Terms: TypeAlias = Annotated[list[Text], Field(max_length=MOST_TERMS)]
Moment: TypeAlias = Annotated[
    Text,
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
"""Read by `moments`, in the account's time zone."""


def _unsaid_default(schema: dict[str, Any]) -> None:
    """Generated clients send the defaults that they are told, and these two are not welcome everywhere."""
    del schema["default"]


class ListParameters(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid")

    from_: Moment | None = Field(None, alias="from", description="Began then or later; a date is the account's day.")
    to: Moment | None = Field(None, description="Began before then; a date is the account's whole day.")
    sort: Sort = "newest_first"
    user: Terms = Field([], description="Id, number or name of a user of the account, also of one who left.")
    queue: Terms = Field([], description="Number or name of a queue of the account, also of one that is gone.")
    ring_group: Terms = Field([], description="Number or name of a ring group, also of one that is gone.")
    direction: Direction | None = None
    number: Text | None = Field(None, description="Either party's, in E.164 or as dialled.")
    reference: Text | None = Field(None, description="What the call was placed with.")
    call_id: UUID | None = None
    state: StateFilter = "ended"
    updated_since: Moment | None = Field(None, description="Changed then or later; tells of rows that are gone, too.")
    offset: int = Field(
        0, ge=0, le=MOST_OFFSET, description="0 unless given. Not with `cursor`.", json_schema_extra=_unsaid_default
    )
    limit: int = Field(100, ge=1, le=10_000, description="100 unless given.", json_schema_extra=_unsaid_default)
    cursor: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)] | None = Field(
        None, description="`next_cursor` of the page before, with the same parameters."
    )
    format: Format | None = Field(
        None, description="`csv` and `ndjson` give the whole range: without offset, limit, cursor and include."
    )
    include: Literal["total"] | None = None

    def results(self) -> list[tuple[ResultColumn, str]]:
        return []


class CallParameters(ListParameters):
    outcome: Outcome | None = None

    def results(self) -> list[tuple[ResultColumn, str]]:
        return [("outcome", self.outcome)] if self.outcome else []


class UserCallParameters(ListParameters):
    type: UserCallType | None = None
    result: AttemptResult | Literal["missed", "voicemail"] | None = None

    def results(self) -> list[tuple[ResultColumn, str]]:
        kept: list[tuple[ResultColumn, str]] = []
        if self.type:
            kept.append(("type", self.type))
        if self.result:
            kept.append(("result", self.result))
        return kept


class QueueCallParameters(ListParameters):
    status: QueueStatus | None = None

    def results(self) -> list[tuple[ResultColumn, str]]:
        return [("status", self.status)] if self.status else []


class RingGroupCallParameters(ListParameters):
    status: RingGroupStatus | None = None

    def results(self) -> list[tuple[ResultColumn, str]]:
        return [("status", self.status)] if self.status else []


def read(
    model: type[ListParameters], query: QueryParams, known: ReadDirectory, faults: list[Fault]
) -> tuple[ListParameters, Filter]:
    """The parameters, and what they mean for the account whose directory this is.

    Each that is at fault makes `faults` grow, and is left out.
    """
    parameters = _readable(model, query, faults)
    directory = known.directory
    zone = ZoneInfo(directory.time_zone)

    def moment(name: str, text: str | None, reader: Callable[[str, ZoneInfo], Any]) -> Any:
        try:
            return None if text is None else reader(text, zone)
        except moments.Unreadable as error:
            faults.append(Fault(name, "unreadable_time", str(error)))
            return None

    def each(name: str, terms: Iterable[str], resolve: Callable[[str], Iterable[Found]]) -> list[Found]:
        found: dict[Found, None] = {}
        for term in terms:
            try:
                found |= dict.fromkeys(resolve(term))
            except Unresolved as error:
                faults.append(error.fault(name))
        return list(found)

    wanted = Filter(
        since=moment("from", parameters.from_, moments.beginning),
        until=moment("to", parameters.to, moments.end),
        users=each("user", parameters.user, lambda term: [known.users.id_of(term)]),
        queues=each("queue", parameters.queue, known.queues.refs_of),
        ring_groups=each("ring_group", parameters.ring_group, known.ring_groups.refs_of),
        direction=parameters.direction,
        numbers=_forms(parameters.number, directory.country),
        reference=parameters.reference,
        call_id=parameters.call_id,
        state=parameters.state,
        updated_since=moment("updated_since", parameters.updated_since, moments.beginning),
        results=parameters.results(),
    )
    return parameters, wanted


def _readable(model: type[ListParameters], query: QueryParams, faults: list[Fault]) -> ListParameters:
    """The parameters without those that `faults` grew by, so that the others' faults are told beside theirs."""
    parameters = validated(model, query, REPEATABLE, faults)
    wrong = {fault.where for fault in faults}
    rest = QueryParams([(name, value) for name, value in query.multi_items() if name not in wrong])
    return parameters or validated(model, rest, REPEATABLE, []) or model.model_validate({})


def validated(model: type[Model], query: QueryParams, repeatable: Collection[str], faults: list[Fault]) -> Model | None:
    """The parameters of a query; None where `faults` grew. Those that are `repeatable` arrive as lists."""
    given: dict[str, list[str]] = {}
    for name, value in query.multi_items():
        given.setdefault(name, []).append(value)
    too_many = too_many_parameters(list(given))
    if too_many:
        faults.append(too_many)
        return None
    faults += [
        Fault(name, "repeated", "This parameter may be given once.")
        for name, values in given.items()
        if len(values) > 1 and name not in repeatable
    ]
    sent = {name: values if name in repeatable else values[-1] for name, values in given.items()}
    try:
        parameters = model.model_validate(sent)
    except ValidationError as error:
        faults.extend(parameter_faults_of(error))
        return None
    return None if faults else parameters


def _forms(number: str | None, country: str) -> list[str]:
    """A number as sent, and in E.164 if it is one; an unencoded `+` arrives as a space."""
    if number is None:
        return []
    sent = "+" + number[1:] if number.startswith(" ") else number
    public = to_e164(sent, country)
    return [sent] if public in (None, sent) else [sent, str(public)]
