"""The event log, webhooks, and how sending went."""

from typing import Any

from gateway.api.answers.shapes import Answer, Time


class Event(Answer):
    """`data`: of `call.ended` the whole call; docs say what each type carries."""

    id: str
    sequence: int
    type: str
    occurred_at: Time
    account: str
    data: dict[str, Any]


class EventPage(Answer):
    data: list[Event]
    has_more: bool
    last_sequence: int


class Webhook(Answer):
    id: str
    url: str
    event_types: list[str]
    enabled: bool
    created_at: Time


class MadeWebhook(Webhook):
    """The secret that signs is in no other answer."""

    secret: str


class WebhookList(Answer):
    data: list[Webhook]


class Delivery(Answer):
    event_id: str
    sequence: int
    type: str
    state: str
    tries: int
    next_try_at: Time | None
    status: int | None
    error: str | None
    latency_ms: int | None
    delivered_at: Time | None


class DeliveryList(Answer):
    data: list[Delivery]
