"""The gateway itself."""

from typing import Any, Literal

from pydantic import BaseModel

from gateway.api.answers.shapes import Answer, Time


class Status(BaseModel):
    """`asterisk` and `source`: of a gateway that also listens. `last_audit`: of the account's records."""

    node: str
    asterisk_connected: bool
    open_calls: int
    as_of: Time
    settled_until: Time | None
    last_audit: dict[str, Any] | None
    asterisk: dict[str, Any] | None = None
    source: dict[str, Any] | None = None


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    status: Literal["ready", "not_ready"]
    database: bool
    asterisk: bool
