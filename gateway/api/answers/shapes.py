"""What the answers are made of."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Time: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
        examples=["2026-11-24T02:03:04.567Z"],
    ),
]
Seconds: TypeAlias = Annotated[float, Field(ge=0, examples=[42.318])]
CALL = "0193603e-57c7-7a11-8c11-2f6d4c0f8a10"


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


def examples_of(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": list(examples)})


class User(Answer):
    id: Annotated[str, Field(examples=["u7"])]
    number: Annotated[str, Field(examples=["101"])]
    name: Annotated[str, Field(examples=["Alice"])]


class Group(Answer):
    number: str | None
    name: str
