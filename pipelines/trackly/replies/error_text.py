"""The part of the vendor's error texts that is kept.

Our text for a documented code, else the masked text without quotes.

An error may quote data that was sent, such as the message or a name in it, and errors go into the ledger, the tables,
logs and alerts. So a record's error is kept by its code (/api-reference/v2/error-codes). For an undocumented code,
only the text outside of quotation marks and before a colon is kept. What does not belong here: phone numbers, which
are masked first (`refusals.safe_words`).
"""

import re

TEXTS = {
    "missing_id": "it has no id",
    "missing_to_number": "it has no to_number",
    "invalid_phone": "its phone number is not valid",
    "list_not_found": "its list is not in the account",
    "missing_message_id": "it has no message_id",
    "missing_offer_id": "it has no offer_id",
    "message_not_found": "its message is not in the account",
    "offer_not_found": "its offer is not in the account",
    "missing_phone_number": "it has no phone_number",
    "missing_timestamp": "it has no timestamp",
    "invalid_timestamp": "its timestamp is not valid",
    "missing_revenue": "it has no revenue",
    "contact_not_found": "its contact is not in the account",
    "save_error": "the account could not save it",
}
"""Our texts for a record's error, by documented code."""

_PAIRS = [
    ('"', '"'),
    ("'", "'"),
    ("`", "`"),
    ("\u201c", "\u201d"),
    ("\u2018", "\u2019"),
    ("\u00ab", "\u00bb"),
]
_QUOTED = re.compile(
    "|".join(  # an apostrophe within a word opens no quote; a quote that is not closed goes on to the end
        rf"(?<!\w){re.escape(begin)}.*?(?:{re.escape(end)}(?!\w)|$)" for begin, end in _PAIRS
    )
)


def without_quotes(text: str) -> str:
    """Return a line without its quoted parts."""
    return " ".join(_QUOTED.sub("\u2026", text).split())


def of_record(code: str, masked: str) -> str:
    """Return the text that is kept of a record's error.

    Args:
        code: the vendor's; "" if there is none.
        masked: the vendor's text, without keys and phone numbers.
    """
    if code in TEXTS:
        return TEXTS[code]
    head, colon, _ = without_quotes(masked).partition(":")
    return f"{head}: \u2026" if colon else head
