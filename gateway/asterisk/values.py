"""The one place where what a client or a directory says is checked before Asterisk hears it.

Each function gives its argument back, unchanged and known to be harmless in a header, a
variable and a dial string, or raises UnsafeValue. Everything not known to be wanted is refused:
CR, LF, NUL end a header; `;` `,` `&` `|` `/` `@` part dial strings; `${` `"` `\\` are evaluated.
"""

import re
from uuid import UUID

from gateway.asterisk.errors import UnsafeValue

_E164 = re.compile(r"\+[1-9][0-9]{3,14}")
_EXTENSION = re.compile(r"[0-9*#][A-Za-z0-9*#.-]{0,31}")
IDENTIFIER = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
"""Of accounts, contexts and nodes, for `fullmatch`."""

ENDPOINT = r"PJSIP/[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,79}"
"""Of devices and trunks, for `fullmatch`."""

_IDENTIFIER = re.compile(IDENTIFIER)
_ENDPOINT = re.compile(ENDPOINT)
_VARIABLE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]{0,78}")
_ID = re.compile(r"[0-9a-f-]{36}(-[0-9]{1,3})?")
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\"\\,;:&|${}()\[\]<>`^%=@/]+")

MAX_NAME_CHARACTERS = 79
MAX_VARIABLE_BYTES = 900
"""Asterisk 22 refuses an action with a line of more than 1020 bytes, the header's and the variable's names in it."""


def e164(text: str, field: str = "number") -> str:
    """A number of the public network: `+` and 4 to 15 digits."""
    return _matching(_E164, text, field, "is not an E.164 number")


def extension(text: str, field: str = "extension") -> str:
    """A number of the PBX itself. It begins with a digit, `*` or `#`, as none of Asterisk's own
    extensions does: `h`, `s`, `failed` and the like mean something to Asterisk.
    """
    return _matching(_EXTENSION, text, field, "is not an extension")


def dialable(text: str, field: str = "destination") -> str:
    """What may be dialled: E.164 or an extension."""
    return e164(text, field) if text.startswith("+") else extension(text, field)


def context(text: str, field: str = "context") -> str:
    """The name of a dialplan context."""
    return _matching(_IDENTIFIER, text, field, "is not the name of a context")


def account(text: str, field: str = "account") -> str:
    """An account's identifier."""
    return _matching(_IDENTIFIER, text, field, "is not an account's identifier")


def endpoint_name(device: str, field: str = "device") -> str:
    """`101-desk` of the device `PJSIP/101-desk`."""
    return _matching(_ENDPOINT, device, field, "is not of the form PJSIP/endpoint").removeprefix("PJSIP/")


def channel_id(text: str, field: str = "id") -> str:
    """A call's id (UUID), or that with `-2` behind it for the channel's other half."""
    _matching(_ID, text, field, "is not a call's id")
    try:
        UUID(text[:36])
    except ValueError:
        raise UnsafeValue(field, "is not a call's id") from None
    return text


def seconds(number: int, field: str, most: int = 86_400) -> int:
    """A duration of at least one second."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise UnsafeValue(field, f"is not a whole number from 1 to {most}")
    return number


def epoch(number: int, field: str) -> int:
    """A time in whole seconds since 1970, within what Asterisk's `$[ ]` compares."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 1 << 40:
        raise UnsafeValue(field, "is not a time in seconds since 1970")
    return number


def shown_name(text: str) -> str:
    """A person's name as a phone may show it: what Asterisk would interpret becomes a space."""
    return " ".join(_NOT_SHOWN.sub(" ", text).split())[:MAX_NAME_CHARACTERS].rstrip()


def variable_header(name: str, value: str) -> str:
    """`NAME=value` for a `Variable` header, whose value Asterisk parts at commas and unquotes.

    Raises:
        UnsafeValue: the name is none, or the value would not arrive as it is.
    """
    _matching(_VARIABLE, name, "variable name", "is not a channel variable's name")
    if not {",", '"', "\\", "\r", "\n", "\0"}.isdisjoint(value) or "${" in value or "$[" in value:
        raise UnsafeValue(name, "holds a character that Asterisk would interpret")
    return f"{name}={value}"


def _matching(pattern: re.Pattern[str], text: str, field: str, reason: str) -> str:
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise UnsafeValue(field, reason)
    return text
