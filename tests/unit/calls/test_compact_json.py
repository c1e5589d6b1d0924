"""One text for one value, whichever of the two encoders can write it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.compact_json import compact

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.integers(-(10**12), 10**12).map(lambda ms: ms / 1000),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_the_text_is_what_python_itself_writes(value: object) -> None:
    assert compact(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": "Ö\u2028\x7f\x00"}, '{"b":1,"a":"Ö\u2028\x7f\\u0000"}'),
        ([2**64, -(2**63) - 1], "[18446744073709551616,-9223372036854775809]"),
        ({"t": 42.318, "n": None}, '{"t":42.318,"n":null}'),
    ],
)
def test_what_it_looks_like(value: object, text: str) -> None:
    assert compact(value) == text
