"""What may be dialled: E.164 numbers that exist (library phonenumbers), extensions of the account; and what not."""

import re

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from gateway.api.problems import Fault
from gateway.calls.directory import Directory, User

_E164 = re.compile(r"\+[1-9][0-9]{3,14}")


def fault_of_destination(directory: Directory, user: User, to: str) -> Fault | None:
    """What is wrong with `to` in itself; None if it could be dialled, were it allowed."""
    if to == user.number:
        return Fault("/to", "own_extension", "A user cannot be connected with themselves.")
    if to in directory.extensions() or blocked(directory, to) is not None:
        return None
    if _E164.fullmatch(to) is None:
        return Fault("/to", "not_a_number", "Neither an E.164 number (+61255501234) nor an extension of the account.")
    number = _parsed(to)
    # Prefixes are compared as they are written: a national 0 after the country's code would get past them.
    if (
        number is None
        or not phonenumbers.is_valid_number(number)
        or phonenumbers.format_number(number, PhoneNumberFormat.E164) != to
    ):
        return Fault("/to", "not_a_valid_number", "There is no such number in the numbering plan of its country.")
    return None


def blocked(directory: Directory, to: str) -> str | None:
    """Why the account may not dial `to` though it is a number; None if it may. `deny` wins over `allow`."""
    if not directory.outbound.emergency and _is_emergency(to, directory.country):
        return "Emergency numbers are not dialled for anybody: use a phone."
    if _E164.fullmatch(to) is None:
        return None
    if to.startswith(directory.outbound.deny):
        return "The account's directory denies this destination."
    if not to.startswith(directory.outbound.allow):
        return "The account's directory does not allow this destination."
    if not directory.outbound.premium_rate and _is_premium_rate(to):
        return "Premium-rate numbers are blocked."
    return None


def _is_premium_rate(to: str) -> bool:
    number = _parsed(to)
    return number is not None and phonenumbers.number_type(number) == PhoneNumberType.PREMIUM_RATE


def _parsed(to: str) -> PhoneNumber | None:
    """None where no country has the code."""
    try:
        return phonenumbers.parse(to)
    except phonenumbers.NumberParseException:
        return None


def _is_emergency(to: str, country: str) -> bool:
    """Also written with the country's code before it."""
    if len(to) > 16 or not to.isascii():
        return False
    code = f"+{phonenumbers.country_code_for_region(country)}"
    national = to.removeprefix(code) if to.startswith(code) else to
    return bool(phonenumbers.is_emergency_number(national, country))
