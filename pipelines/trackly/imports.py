"""The three endpoints that import history, and their answers.

A call has at most 1,000 records, and some of them may fail: the answer has counts, and names at most 100 of the
records that failed. What does not belong here: how rows become chunks, and the outcomes of rows (the push engine).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from pipelines.trackly.client import Reply, TracklyClient
from pipelines.trackly.failures import Unreadable
from pipelines.trackly.replies.error_text import of_record
from pipelines.trackly.replies.lenient_json import number_of, parse_leniently, whole_characters
from pipelines.trackly.replies.refusals import safe_words

MAX_RECORDS = 1000
"""Most records of one call; more are refused with 413 (/api-reference/v2/history/import-sends)."""

MAX_BODY_BYTES = 5_000_000
"""Most bytes of one body. "5 MB" (/api-reference/v2/rate-limiting) is read as the smaller of its meanings."""

MAX_NAMED_ERRORS = 100
"""Most entries of `errors` (/api-reference/v2/history/import-sends): with more, which failed is unknown."""


class RecordError(msgspec.Struct, frozen=True):
    """One record that was not imported.

    Attributes:
        index: its place in the call, from 0; None if not in the answer.
        id: the id that was sent (sends only); None if not in the answer.
        code: such as "message_not_found" (/api-reference/v2/error-codes); "" if not in the answer.
        error: the part of the vendor's text that is kept (`replies.error_text`); may be "".
    """

    index: int | None
    id: str | None
    code: str
    error: str


class ImportAnswer(msgspec.Struct, frozen=True):
    """The answer to an import call; its counters need not sum to the number of records sent.

    Attributes:
        success_count: records imported; None if not in the answer.
        error_count: records that failed.
        duplicates_skipped: records that the account already had; 0 for revenue, for which the API does not count
            them.
        invalid_phones: phone numbers refused; whether error_count includes them is not documented.
        total_revenue: the sum imported, in the account's currency; revenue only.
        errors: at most MAX_NAMED_ERRORS of the records that failed.
    """

    success_count: int | None
    error_count: int
    duplicates_skipped: int = 0
    invalid_phones: int = 0
    total_revenue: Decimal | None = None
    errors: tuple[RecordError, ...] = ()


async def post_sends(client: TracklyClient, body: bytes, most_cuts: int | None = None) -> Reply[ImportAnswer]:
    """Import messages sent elsewhere; the API skips ids that it already has, so failures are retried.

    Args:
        client: the account.
        body: `{"records": [...]}` within MAX_RECORDS and MAX_BODY_BYTES (/api-reference/v2/history/import-sends).
        most_cuts: see `TracklyClient.post`.

    Raises:
        TracklySyncError: as `TracklyClient.post` does for a repeatable call.
    """
    return await client.post("/history/sends", body, read_import, repeatable=True, most_cuts=most_cuts)


async def post_clicks(
    client: TracklyClient, body: bytes, most_cuts: int | None = None
) -> Reply[ImportAnswer]:
    """Import clicks; the API keeps one click per message and skips later ones, so failures are retried.

    Args:
        client: the account.
        body: as for sends (/api-reference/v2/history/import-clicks).
        most_cuts: see `TracklyClient.post`.

    Raises:
        TracklySyncError: as `TracklyClient.post` does for a repeatable call.
    """
    return await client.post("/history/clicks", body, read_import, repeatable=True, most_cuts=most_cuts)


async def post_revenue(
    client: TracklyClient, body: bytes, before: Callable[[datetime], None] | None = None
) -> Reply[ImportAnswer]:
    """Import revenue; the API does not skip repeats, so only failures that prove that nothing was done are retried.

    Args:
        client: the account.
        body: as for sends (/api-reference/v2/history/import-revenue).
        before: as in `TracklyClient.post`.

    Raises:
        OutcomeUnknown: the records may or may not have been imported.
        TracklySyncError: as `TracklyClient.post` does; then no record was imported.
    """
    return await client.post("/history/revenue", body, read_import, repeatable=False, before=before)


def read_import(body: bytes) -> ImportAnswer:
    """Read the answer of an import call, whatever its status; strict only about the counters.

    Args:
        body: the complete body.

    Raises:
        Unreadable: not a JSON object, neither success_count nor error_count, or a counter that is not a count.
    """
    found = parse_leniently(body)
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    success = _count(found, "success_count")
    errors = found.get("errors")
    answer = ImportAnswer(
        success_count=success,
        error_count=_count(found, "error_count") or 0,
        duplicates_skipped=_count(found, "duplicates_skipped") or 0,
        invalid_phones=_count(found, "invalid_phones") or 0,
        total_revenue=_money(found.get("total_revenue")),
        errors=tuple(_record_error(item) for item in errors) if isinstance(errors, list) else (),
    )
    if success is None and _count(found, "error_count") is None:
        raise Unreadable("the JSON has no counters")
    return answer


_LARGEST_COUNT = 2**31 - 1


def _count(found: Mapping[str, Any], name: str) -> int | None:
    """Return a counter: None if missing, the length of a list (the shape of invalid_phones is not documented).

    Raises:
        Unreadable: the value is not a count.
    """
    value = found.get(name)
    if isinstance(value, list):
        return len(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _money(value)
    if number is None or number != number.to_integral_value() or not 0 <= number <= _LARGEST_COUNT:
        raise Unreadable(f"{name} is not a count")
    return int(number)


def _money(value: object) -> Decimal | None:
    """Return an amount from a number or a text; None for other values."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    number = number_of(str(value))
    return None if number.is_nan() else number


def _record_error(item: object) -> RecordError:
    entry = item if isinstance(item, dict) else {}
    index, identity = _money(entry.get("index")), entry.get("id")
    code = safe_words(whole_characters(str(entry.get("code") or "")))
    return RecordError(
        index=int(index) if index is not None and index == index.to_integral_value() else None,
        id=whole_characters(str(identity)) if isinstance(identity, str | int | Decimal) else None,
        code=code,
        error=of_record(code, safe_words(whole_characters(str(entry.get("error") or "")))),
    )
