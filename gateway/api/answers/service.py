"""The gateway itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from gateway.api.answers.shapes import Answer, Seconds, Time


class Source(BaseModel):
    """How far what Asterisk tells was read. A gateway that also listens tells more, of how it does."""

    read_until: Annotated[Time | None, Field(description="The time of the last channel event that is committed.")]
    last_commit_at: Time | None
    lag: Annotated[Seconds | None, Field(description="For how many seconds events may have been on their way.")]
    unowned_calls: Annotated[int, Field(ge=0, description="Calls of the node that ended and no directory claims.")]


class Status(BaseModel):
    """`asterisk`: of a gateway that also listens. `last_audit`: of the account's records."""

    node: str
    asterisk_connected: bool
    open_calls: int
    as_of: Time
    settled_until: Time | None
    last_audit: dict[str, Any] | None
    asterisk: dict[str, Any] | None = None
    source: Source


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    status: Literal["ready", "not_ready"]
    database: bool
    asterisk: bool
