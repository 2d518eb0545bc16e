"""What is kept of the vendor's error texts: never what they quote of a message."""

import json

import pytest

from pipelines.trackly.replies.error_text import TEXTS, of_record, without_quotes
from pipelines.trackly.replies.refusals import vendor_error

PRIVATE = "Hi Ann, your code is 4711"


@pytest.mark.parametrize("code", [*TEXTS, "new_code", ""])
@pytest.mark.parametrize(
    "form",
    [
        'message "{}" is bad',
        "'{}' refused",
        "bad text: {}",
        "\u201c{}\u201d",
        'cut off: "{}',
        "`{}`: too long",
        "\u00ab{}\u00bb",
    ],
)
def test_no_record_error_keeps_what_it_quotes(code: str, form: str) -> None:
    """By a documented code our own text; else what stands outside of quotes and before a colon."""
    kept = of_record(code, form.format(PRIVATE))
    assert "Ann" not in kept
    assert "4711" not in kept
    assert kept


def test_a_text_without_quotes_stays() -> None:
    """An apostrophe within a word quotes nothing."""
    assert without_quotes("the contact's list doesn't exist") == "the contact's list doesn't exist"
    assert of_record("new_code", "No such thing") == "No such thing"


def test_an_error_body_keeps_no_quotes_either() -> None:
    """Of the request as a whole; its code stays."""
    body = {"error": f'record "{PRIVATE}" is bad', "code": "bad_record", "message": f"see '{PRIVATE}'"}
    text = str(vendor_error(json.dumps(body).encode()))
    assert "Ann" not in text
    assert "[bad_record]" in text
