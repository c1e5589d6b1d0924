"""What a list of the drop-in path is asked for. What is empty, and what nobody here knows, is ignored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from gateway.api import moments
from gateway.api.parameters import MOST_OFFSET, Terms, Text
from gateway.api.problems import Fault, invalid, parameter_faults_of
from gateway.api.read_directories import ReadDirectory
from gateway.api.who import KnownGroups
from gateway.calls.record import GroupRef
from gateway.store.directories import KnownUser
from gateway.store.list_query import Filter

SEPARATOR = ","


class ReadParameters(BaseModel):
    """What every list takes. Names and numbers: one or several, with commas between them or sent again."""

    model_config = ConfigDict(extra="ignore")

    from_date: Text | None = None
    to_date: Text | None = None
    sort_by: Literal["newest_first", "oldest_first"] = "newest_first"
    unique_call_id: Text | None = None
    offset: int = Field(0, ge=0, le=MOST_OFFSET)
    limit: int = Field(100, ge=1, le=10_000)


class UserReadParameters(ReadParameters):
    users_names: Terms = []
    users_numbers: Terms = []


class QueueReadParameters(ReadParameters):
    queues_names: Terms = []


class RingGroupReadParameters(ReadParameters):
    ringgroups_names: Terms = []


TERMS = frozenset({"users_names", "users_numbers", "queues_names", "ringgroups_names"})


def read(model: type[ReadParameters], query: QueryParams, known: ReadDirectory) -> tuple[ReadParameters, Filter | None]:
    """The parameters, and what they mean for this account: None where they name nobody, or no call, that there is.

    Raises: Problem 422 with all faults.
    """
    faults: list[Fault] = []
    asked = _readable(model, query, known, faults)
    users, zone = known.users.all, ZoneInfo(known.directory.time_zone)
    since = _moment("from_date", query, zone, faults)
    until = _moment("to_date", query, zone, faults)
    if asked is None or faults:
        raise invalid(faults)
    wanted = Filter(since=since, until=until)
    match asked:
        case UserReadParameters(users_names=names, users_numbers=numbers) if names or numbers:
            ids = [*_ids(users, "name", names), *_ids(users, "number", numbers)]
            wanted = replace(wanted, users=list(dict.fromkeys(ids)))
            if not ids:
                return asked, None
        case QueueReadParameters(queues_names=names):
            wanted = replace(wanted, queues=_groups(known.queues, names))
        case RingGroupReadParameters(ringgroups_names=names):
            wanted = replace(wanted, ring_groups=_groups(known.ring_groups, names))
    if asked.unique_call_id is not None:
        try:
            wanted = replace(wanted, call_id=UUID(asked.unique_call_id))
        except ValueError:
            return asked, None
    return asked, wanted


def _readable(
    model: type[ReadParameters], query: QueryParams, known: ReadDirectory, faults: list[Fault]
) -> ReadParameters | None:
    names: dict[str, Collection[str]] = {
        "users_names": {user.name for user in known.users.all},
        "queues_names": known.queues.names,
        "ringgroups_names": known.ring_groups.names,
    }
    sent: dict[str, object] = {}
    for name in model.model_fields:
        values = [value for value in query.getlist(name) if value.strip()]
        if values:
            sent[name] = _terms(values, names.get(name, ())) if name in TERMS else values[-1].strip()
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        faults.extend(parameter_faults_of(error))
        return None


def _terms(values: Iterable[str], known: Collection[str]) -> list[str]:
    """A comma parts two names, unless it belongs to one."""
    terms = (term.strip() for value in values for term in ([value] if value in known else value.split(SEPARATOR)))
    return list(dict.fromkeys(term for term in terms if term))


def _moment(
    name: Literal["from_date", "to_date"], query: QueryParams, zone: ZoneInfo, faults: list[Fault]
) -> datetime | None:
    """A time without an offset is the account's. The second at which a range ends is in it, as its day is."""
    values = [value.strip() for value in query.getlist(name) if value.strip()]
    if not values:
        return None
    text = values[-1]
    try:
        if name == "from_date":
            return moments.beginning(text, zone, local=True)
        end = moments.end(text, zone, local=True)
        return end if moments.is_date(text) else end.replace(microsecond=0) + timedelta(seconds=1)
    except (moments.Unreadable, OverflowError):
        faults.append(Fault(name, "unreadable_time", "Neither a date (2026-11-01) nor a time (2026-11-01 09:30:00)."))
        return None


def _groups(known: KnownGroups, names: Iterable[str]) -> list[GroupRef]:
    return list(dict.fromkeys(ref for name in names for ref in known.refs_of_name(name)))


def _ids(users: Sequence[KnownUser], field: Literal["name", "number"], terms: Iterable[str]) -> list[str]:
    """Those who bear it now, else those who did; what names nobody is left out."""
    found: list[str] = []
    for term in terms:
        bearers = [user for user in users if term == (user.name if field == "name" else user.number)]
        present = [user for user in bearers if not user.removed]
        found += [user.id for user in present or bearers]
    return found
