"""Errors."""

from pydantic import BaseModel

from gateway.api.answers.shapes import Answer, examples_of


class FaultAnswer(Answer):
    """One thing that is wrong: with the field at `pointer` (RFC 6901), or with the parameter or header."""

    pointer: str | None = None
    parameter: str | None = None
    code: str
    detail: str


class ProblemAnswer(BaseModel):
    """RFC 9457. `code` is stable; docs/errors.md explains each. `ip`, `scope`: of the codes that tell them."""

    model_config = examples_of(
        {
            "type": "urn:gateway:problem:invalid_request",
            "title": "Unprocessable Content",
            "status": 422,
            "detail": "The request cannot be read as it is.",
            "code": "invalid_request",
            "request_id": "5b1f7a0e6a0f4a4f8f0d7e5b8e8f2a61",
            "errors": [{"parameter": "limit", "code": "too_large", "detail": "Input should be less than …"}],
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FaultAnswer] = []
    ip: str | None = None
    scope: str | None = None
