"""What schemathesis is told beside the document, in its own process; `tests.contract.fuzz` sets the environment.

Nothing here leaves a check out. What is told:
- Each request comes from another address (behind a trusted proxy) and each broken key has an id of its own. Guessers
  are slowed down per address and key id, and thousands of broken keys in a row would take hours.
- The run does not revoke its own key, nor remove the network that it comes from.
- No schema can say what depends on the account, on the time, or on another parameter: `BEYOND_A_SCHEMA`.
"""

import atexit
import json
import os
import secrets
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import schemathesis
from schemathesis import Case, HookContext, Response

BROKEN = os.environ["CONTRACT_KEY"] == "broken"
OWN = frozenset(os.environ["CONTRACT_OWN"].split())
COUNTS = Path(os.environ["CONTRACT_COUNTS"])

BEYOND_A_SCHEMA = {
    "unknown_user": "who is a user is in the account's directory",
    "ambiguous_user": "so are users of one name",
    "unknown_queue": "queues are in the directory",
    "unknown_ring_group": "ring groups are in the directory",
    "not_a_number": "extensions are in the directory",
    "not_a_valid_number": "a country's numbering plan is no regular expression",
    "own_extension": "it depends on the field `user`",
    "not_your_number": "the account's numbers are in the directory",
    "caller_id_is_destination": "it depends on the field `to`",
    "unreadable_cursor": "a cursor is what the page before gave",
    "cursor_of_another_list": "and what its parameters were",
    "not_with_cursor": "it depends on another parameter",
    "not_with_format": "it depends on another parameter",
    "idempotency_mismatch": "it depends on the requests before",
    "in_the_past": "it depends on the time",
    "not_printable": "Unicode's classes are not in the regular expressions that JSON Schema has everywhere",
    "not_a_network": "an address in either version with or without a prefix is described, not drawn",
    "invalid_url": "format `uri` also allows what names no host",
}
"""Faults that a request can have though each of its values has the form that the document tells: why."""

statuses: dict[str, Counter[int]] = defaultdict(Counter)


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    named = {unquote(str(value)) for value in (case.path_parameters or {}).values()}
    return case.method != "DELETE" or not OWN & named


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if case.headers is None:
        return
    case.headers["X-Forwarded-For"] = "10." + ".".join(str(secrets.randbelow(256)) for _ in range(3))
    if BROKEN:
        case.headers["Authorization"] = f"Bearer gw_live_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    statuses[case.operation.label][response.status_code] += 1


@schemathesis.hook
def filter_failure(context: HookContext, failure: Exception, case: Case[Any], response: Response) -> bool:
    """A failure counts, unless data of the right form was refused for nothing but what no schema can say."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    problem = response.json()
    found = {fault["code"] for fault in problem.get("errors", ())} or {problem["code"]}
    return not found <= BEYOND_A_SCHEMA.keys()


@atexit.register
def tell_statuses() -> None:
    COUNTS.write_text(json.dumps(statuses))
