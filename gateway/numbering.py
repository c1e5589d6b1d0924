"""Numbers of the public network in E.164, read with the account's country (library phonenumbers)."""

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=10_000)
def to_e164(number: str, country: str) -> str | None:
    """`0290000001` in AU and `+61290000001` alike give `+61290000001`; None for extensions and the like.

    A number counts when it is of a possible length and a valid pattern for its country.
    """
    if len(number) < 5 or len(number) > 32:
        return None
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    if number.startswith("+"):
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if _possible(parsed) else None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _possible(parsed: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.is_possible_number(parsed)
