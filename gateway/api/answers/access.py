"""Keys, the allow-list and the audit log."""

from typing import Annotated, Any

from pydantic import Field

from gateway.api.answers.shapes import Answer, Time, examples_of


class Key(Answer):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    last_used_ip: str | None


class MadeKey(Key):
    """The key itself is in no other answer."""

    key: Annotated[str, Field(pattern=r"^gw_live_[0-9a-z]{12}_[0-9A-Za-z_-]{43}$")]


class KeyList(Answer):
    data: list[Key]


class AllowedNetwork(Answer):
    network: Annotated[str, Field(examples=["192.0.2.0/24"])]
    note: str
    created_at: Time


class NetworkList(Answer):
    data: list[AllowedNetwork]


class AuditEntry(Answer):
    """`actor`: `key:<id>`, `login:<name>` or `cli`."""

    model_config = examples_of(
        {
            "id": 71,
            "at": "2026-11-24T02:03:04.567Z",
            "actor": "key:0f3b9c1d2e4f",
            "action": "ip.refused",
            "subject": "198.51.100.9",
            "ip": "198.51.100.9",
            "details": {},
        }
    )

    id: int
    at: Time
    actor: str
    action: str
    subject: str
    ip: str | None
    details: dict[str, Any]


class AuditPage(Answer):
    data: list[AuditEntry]
    has_more: bool
