"""A page of what the account's directory lists: `offset` and `limit` as in the lists of calls, in the file's order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api import next_page
from gateway.api.parameters import MOST_OFFSET, validated
from gateway.api.problems import Fault, invalid
from gateway.calls.instant import datetime_text

Item = TypeVar("Item")


class PageParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    offset: Annotated[int, Field(ge=0, le=MOST_OFFSET)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    include: Literal["total"] | None = None


class DirectoryPage(Generic[Item]):
    """`items`: those of the page that the request asks for. Raises: Problem 422."""

    def __init__(self, request: Request, everything: Sequence[Item]) -> None:
        faults: list[Fault] = []
        asked = validated(PageParameters, request.query_params, (), faults)
        if asked is None:
            raise invalid(faults)
        self._request, self._asked, self._total = request, asked, len(everything)
        self._next = asked.offset + asked.limit
        self.items = everything[asked.offset : self._next]

    def answer(self, rows: Sequence[object], live_at: datetime | None = None) -> Response:
        """`rows`: the documents of `items`. `live_at`: when Asterisk was asked for what they show of it."""
        has_more = self._next < self._total
        body: dict[str, object] = {"data": list(rows), "has_more": has_more}
        if self._asked.include == "total":
            body["total"] = self._total
        body["live_at"] = None if live_at is None else datetime_text(live_at)
        headers = next_page.link(self._request, offset=self._next, limit=self._asked.limit) if has_more else {}
        return JSONResponse(body, headers=headers)
