"""What is shown of a row that is left out: keys that may be a person's are masked, other keys are not."""

import pytest

from pipelines.push.findings.values import offending, shown_key


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("+15550000033", "+99999999999"),
        ("15552000033", "99999999999"),
        ("(555) 200-0033", "(999) 999-9999"),
        ("555-200-0033", "999-999-9999"),
        ("c7:+15550000033", "x9:+99999999999"),
        ("record:+15550000033", "record:+99999999999"),
        ("jane.doe@example.com", "xxxx.xxx@xxxxxxx.xxx"),
        ("Jane Doe", "xxxx xxx"),
    ],
)
def test_a_key_that_may_be_a_persons_is_masked(key: str, form: str) -> None:
    assert shown_key(key, masked=True) == form
    assert shown_key(key, masked=False) == key


@pytest.mark.parametrize(
    "key",
    [
        "m1",
        "1001",
        "269e0d37f2a74de452e6b438",
        "123456789012345678",
        "2024-05-01-17",
        "abc:2",
        "hmac:" + "1" * 32,
    ],
)
def test_another_key_is_shown(key: str) -> None:
    assert shown_key(key, masked=True) == key


def test_a_whole_number_is_shown_as_one() -> None:
    """Amounts are kept as numbers, and files rarely write a whole one with a point."""
    found = offending(
        "revenue: is negative", '{"revenue": -3.0, "payout": 0.5}', ["revenue", "payout"], masked=False
    )
    assert found == {"revenue": "-3"}


def test_a_hash_is_no_value_to_mask() -> None:
    """It says nothing about a person, and masked it would say nothing at all."""
    kept = "hmac:" + "0a" * 16
    found = offending("to_number: no", f'{{"to_number": "{kept}"}}', ["to_number"], masked=True)
    assert found == {"to_number": kept}
