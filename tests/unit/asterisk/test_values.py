"""Nothing that a client sends reaches a header, a variable or a dial string with a meaning of its own."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.asterisk import originate, values
from gateway.asterisk.errors import UnsafeValue
from gateway.asterisk.originate import OriginateRequest

FORBIDDEN = set("\r\n\0;,&|\"'\\${}()[]/@ \t:<>")

REQUEST = OriginateRequest(
    id="01936f2e-7c4b-7abc-8def-0123456789ab",
    other_id="01936f2e-7c4b-7abc-8def-0123456789ab-2",
    devices=("PJSIP/101-desk", "PJSIP/101-mobile"),
    destination="+61255501234",
    destination_context="from-internal",
    user_number="101",
    user_name="Alice O'Brien",
    caller_id="+61290000001",
    account="acme",
    ring_timeout=30,
    answer_timeout=60,
    deadline_epoch=1_795_489_263,
)

# Text made of what attackers use, so that the fuzzer finds near misses.
hostile = st.one_of(
    st.text(),
    st.text(alphabet="+0123456789*#abcPJSI/-.@&,;|${}\r\n\0\\\"'١２"),
    st.from_regex(r"\+[1-9][0-9]{3,14}", fullmatch=True).flatmap(
        lambda number: st.sampled_from(["\n", "\r\nAction: Command", "&PJSIP/x", ",", ";", "|", "\0", "${EXTEN}"]).map(
            lambda tail: number + tail
        )
    ),
)


def test_more_devices_than_fit_on_a_line_of_ami_are_refused_before_asterisk_would() -> None:
    devices = tuple(f"PJSIP/{number:02}{'x' * 60}" for number in range(20))
    assert originate.variables(replace(REQUEST, devices=devices[:14]))
    with pytest.raises(UnsafeValue, match="too long together"):
        originate.variables(replace(REQUEST, devices=devices))


@given(hostile)
@example("+61255501234\n")
@example("101\r\nAction: Command\r\nCommand: core stop now")
@example("101&PJSIP/trunk/sip:x")
@example("9" * 10_000)
@example("١٢٣")
def test_whatever_passes_holds_nothing_that_asterisk_interprets(text: str) -> None:
    for check in (
        values.e164, values.extension, values.dialable, values.context, values.account, values.endpoint_name,
        values.channel_id,
    ):  # fmt: skip
        try:
            passed = check(text)
        except UnsafeValue:
            continue
        assert passed in (text, text.removeprefix("PJSIP/"))
        assert FORBIDDEN.isdisjoint(passed)
        assert passed.isascii()
        assert 0 < len(passed) <= 80


@given(st.text(max_size=300))
@example('Smith, Bob "the;boss" ${CHANNEL}\r\n\0')
def test_a_shown_name_loses_what_asterisk_interprets(name: str) -> None:
    shown = values.shown_name(name)
    assert (FORBIDDEN - set("' ")).isdisjoint(shown)
    assert len(shown) <= values.MAX_NAME_CHARACTERS
    shown.encode("utf-8")
    assert values.variable_header("GW_USER_NAME", shown) == f"GW_USER_NAME={shown}"


def test_a_refusal_names_the_field_and_not_the_value() -> None:
    with pytest.raises(UnsafeValue, match=r"^to: is not an E\.164 number$"):
        values.dialable("+61255501234;secret", "to")


@pytest.mark.parametrize("name", ["Zoë O'Brien", "Alice Anders", "日本 太郎", "A. B-C"])
def test_a_plain_name_stays(name: str) -> None:
    assert values.shown_name(name) == name


@pytest.mark.parametrize("number", ["101", "*8102", "#72", "700", "7-a"])
def test_extensions(number: str) -> None:
    assert values.extension(number) == number


@pytest.mark.parametrize("special", ["h", "s", "i", "t", "o", "a", "e", "T", "_X.", "", "fax", "failed", "sales1"])
def test_asterisks_own_extensions_cannot_be_dialled(special: str) -> None:
    with pytest.raises(UnsafeValue):
        values.extension(special)


@pytest.mark.parametrize("number", ["+0123456", "+123", "61255501234x", "+6125550123412345", "+61 2 5550"])
def test_what_is_no_e164_number(number: str) -> None:
    with pytest.raises(UnsafeValue):
        values.e164(number)


text_fields = [
    "id", "other_id", "destination", "destination_context", "user_number", "user_name", "caller_id", "account",
]  # fmt: skip


@given(st.sampled_from(text_fields), hostile)
def test_an_originate_is_always_the_same_headers_whatever_it_is_given(field: str, text: str) -> None:
    told: dict[str, Any] = {field: text}
    request = replace(REQUEST, **told)
    try:
        built = {**originate.headers(request), **dict(originate.variables(request))}
    except UnsafeValue:
        return
    assert built.keys() == {**originate.headers(REQUEST), **dict(originate.variables(REQUEST))}.keys()
    for name, value in built.items():
        assert not re.search(r"[\r\n\0;,&|\"\\$\[\]{}]", value), name
    for name, value in originate.variables(request):
        values.variable_header(name, value)


@given(st.lists(hostile, max_size=3))
def test_devices_cannot_smuggle_another_dial_string(devices: list[str]) -> None:
    try:
        built = dict(originate.variables(replace(REQUEST, devices=tuple(devices))))
    except UnsafeValue:
        return
    assert built["__GW_DEVICES"].split(":") == [device.removeprefix("PJSIP/") for device in devices]


@pytest.mark.parametrize("field", ["ring_timeout", "answer_timeout", "deadline_epoch"])
@pytest.mark.parametrize("value", [0, -1, True, "30", 1 << 50, 1.5])
def test_times_are_positive_whole_numbers(field: str, value: Any) -> None:
    with pytest.raises(UnsafeValue):
        originate.variables(replace(REQUEST, **{field: value}))


def test_the_originate_of_a_plain_request() -> None:
    assert originate.headers(REQUEST) == {
        "Channel": "Local/101@gw-ring/n",
        "Context": "gw-connect",
        "Exten": "+61255501234",
        "Priority": "1",
        "CallerID": "+61255501234",
        "Account": "acme",
        "ChannelId": REQUEST.id,
        "OtherChannelId": REQUEST.other_id,
        "Timeout": "35000",
        "Async": "true",
    }
    assert dict(originate.variables(REQUEST)) == {
        "__GW_ID": REQUEST.id,
        "__GW_ACCOUNT": "acme",
        "__GW_DEVICES": "101-desk:101-mobile",
        "__GW_DEADLINE": "1795489263",
        "__GW_RING_TIMEOUT": "30",
        "__GW_ANSWER_TIMEOUT": "60",
        "__GW_DESTINATION": "+61255501234",
        "__GW_DESTINATION_CONTEXT": "from-internal",
        "__GW_CALLER_ID": "+61290000001",
        "__GW_USER_NUMBER": "101",
        "__GW_USER_NAME": "Alice O'Brien",
    }
