"""The codes of errors: stable, and each explained in docs/errors.md (a test keeps that page whole)."""

from typing import Literal, TypeAlias, get_args

ProblemCode: TypeAlias = Literal[
    "malformed_request",
    "malformed_json",
    "malformed_form",
    "not_authorised",
    "key_in_url",
    "ip_not_allowed",
    "scope_missing",
    "scope_not_held",
    "destination_blocked",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "body_too_slow",
    "no_directory",
    "other_node",
    "user_unreachable",
    "idempotency_in_progress",
    "too_many_keys",
    "too_many_networks",
    "too_many_webhooks",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "idempotency_mismatch",
    "rate_limited",
    "too_many_calls_per_minute",
    "too_many_simultaneous_calls",
    "internal_error",
    "refused_by_asterisk",
    "asterisk_unavailable",
    "database_unavailable",
    "too_many_exports",
]
"""What a whole answer is."""

FaultCode: TypeAlias = Literal[
    # Of any value.
    "required",
    "unknown_field",
    "unknown_parameter",
    "repeated",
    "too_many_parameters",
    "wrong_type",
    "wrong_form",
    "not_one_of",
    "too_small",
    "too_large",
    "too_short",
    "too_long",
    "not_printable",
    "nul_character",
    # Of particular ones.
    "unreadable_time",
    "in_the_past",
    "unreadable_cursor",
    "cursor_of_another_list",
    "cursor_expired",
    "not_with_cursor",
    "not_with_format",
    "unknown_user",
    "ambiguous_user",
    "unknown_queue",
    "ambiguous_queue",
    "unknown_ring_group",
    "ambiguous_ring_group",
    "own_extension",
    "not_a_number",
    "not_a_valid_number",
    "not_your_number",
    "no_caller_id",
    "caller_id_is_destination",
    "unsafe_value",
    "bad_idempotency_key",
    "not_a_network",
    "scope_not_held",
    "invalid_url",
    "unknown_event_type",
    "nothing_to_change",
]
"""What is wrong with one field or parameter."""

FAULT_CODES: frozenset[str] = frozenset(get_args(FaultCode))

# pydantic's own names of what it found, which are its affair, not our clients'.
_OF_PYDANTIC: dict[str, FaultCode] = {
    "missing": "required",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "int_parsing_size": "too_large",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
}


def of_pydantic(kind: str) -> FaultCode:
    """Ours for pydantic's name of an error; those that our own validators raise are ours already."""
    if kind in FAULT_CODES:
        return kind  # type: ignore[return-value]
    if kind in _OF_PYDANTIC:
        return _OF_PYDANTIC[kind]
    return "wrong_type" if kind.endswith("_type") else "wrong_form"
