"""warehouse.canonical: equal JSON values have equal texts, and others do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.warehouse.history.canonical_json import canonical, same_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def turned_round(value: Any) -> Any:
    """The same value with the keys of every object the other way round."""
    match value:
        case dict():
            return {name: turned_round(value[name]) for name in reversed(value)}
        case list():
            return [turned_round(item) for item in value]
        case _:
            return value


@given(VALUES)
def test_order_escapes_and_white_space_do_not_matter(value: Any) -> None:
    """However a value is written, its canonical text is one, and that reads as the value."""
    texts = (
        json.dumps(value),
        json.dumps(turned_round(value), ensure_ascii=False, indent=2),
    )
    assert same_json(*texts)
    assert json.loads(canonical(texts[0])) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1e2", "100"),
        ("[0.10]", "[10e-2]"),
        ("-0.0", "0"),
        ('"\\u00e9\\/"', '"é/"'),
        ("123456789012345678901234567890.50", "123456789012345678901234567890.5"),
    ],
)
def test_the_same_value_in_other_ways_to_write_it(one: str, other: str) -> None:
    """A whole number is one however it is written, and zeros at the end of a fraction are nothing."""
    assert same_json(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1e999999999", "1e999999998"),
        ("1", "1.0000000000000000000000000000000000001"),
        ("1", "2"),
        ('{"a":1}', '{"a":"1"}'),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ("0.1", "0.10000000000000001"),
    ],
)
def test_other_values_have_other_texts(one: str, other: str) -> None:
    """Types, order in lists, keys and digits tell values apart."""
    assert not same_json(one, other)


@pytest.mark.parametrize("text", ["{oops", "[" * 5000, ""])
def test_what_is_no_json_is_compared_as_text(text: str) -> None:
    """Nothing is lost of a text that cannot be read, and no value is not a value."""
    assert canonical(text) == text
    assert same_json(text, text)
    assert not same_json(text, text + " ")
    assert not same_json(text, None)
    assert same_json(None, None)
