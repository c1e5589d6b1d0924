"""What was made, changed and refused on the account, youngest first."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api import next_page
from gateway.api.auth import Caller
from gateway.api.context import context_of
from gateway.api.parameters import validated
from gateway.api.problems import Fault, invalid
from gateway.calls.instant import datetime_text
from gateway.store import audit

MOST_ID = 2**63 - 1


class AuditParameters(BaseModel):
    """`before`: the `id` of an entry; those that are older follow."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[int, Field(ge=1, le=MOST_ID)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


async def list_entries(request: Request, caller: Caller) -> Response:
    """`GET /v1/audit-log`."""
    faults: list[Fault] = []
    asked = validated(AuditParameters, request.query_params, (), faults)
    if asked is None:
        raise invalid(faults)
    found = await audit.newest(context_of(request).pool, caller.account, asked.limit + 1, before=asked.before)
    shown = found[: asked.limit]
    has_more = len(found) > asked.limit
    headers = next_page.link(request, before=shown[-1].id, limit=asked.limit) if has_more else {}
    return JSONResponse({"data": [_document(entry) for entry in shown], "has_more": has_more}, headers=headers)


def _document(entry: audit.Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": datetime_text(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "ip": entry.ip,
        "details": dict(entry.details),
    }
