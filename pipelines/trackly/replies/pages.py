"""Replies that carry rows: one page of a resource, checked as JSON and left unparsed.

The complete body is syntax-checked in one fast pass, and the rows are passed on as raw JSON, so that their types are
decoded once, by the contract of the dataset. What does not belong here: which pages to request, and in which order
(the pull engine), and what rows mean (schemas).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines.trackly.failures import Unreadable

if TYPE_CHECKING:  # a process that only decodes rows needs no client, and httpx takes long to import
    from pipelines.trackly.client import Reply, TracklyClient

_LARGEST = 2**63 - 1


class Pagination(msgspec.Struct, frozen=True):
    """`pagination` of a paged reply (/api-reference/v2/overview); absent if a resource is not paged."""

    page: int | None = None
    per_page: int | None = None
    total: int | None = None
    total_pages: int | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of rows.

    Attributes:
        rows: the JSON array of rows, in UTF-8, exactly as received.
        page: number of the page in the reply, from 1; None if not given.
        per_page: most rows of a page; None if not given.
        total: rows in the account that match the query; None if not given.
        total_pages: number of the last page; None if not given.
        other: top-level keys other than the envelope and `pagination`, sorted.
        absent: whether the rows are null or missing, which counts as no rows.
    """

    rows: bytes
    page: int | None
    per_page: int | None
    total: int | None
    total_pages: int | None
    other: tuple[str, ...]
    absent: bool = False


NO_PAGINATION = msgspec.Raw(b"null")
"""Stands for the object if a reply has no pagination."""

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_page(envelope: str) -> Callable[[bytes], Page]:
    """Return a reader of pages whose rows are under the key `envelope`, for `TracklyClient.get`.

    The reader raises Unreadable for a body that is not JSON or cut off, or with rows that are not an array. Rows that
    are null count as no rows. So do missing rows, if the pagination says that there are none or the reply has no
    other keys. Unknown keys are accepted and named in `other`. A pagination that makes no sense counts as missing,
    since the scan does not trust a page's own numbers.
    """

    def read(body: bytes) -> Page:
        found, rows, seen = _taken_apart(body, envelope)
        other = tuple(sorted(found.keys() - {envelope, "pagination"}))
        absent = rows == b"null"
        if envelope not in found and (other or "pagination" in found) and seen.total != 0:
            raise Unreadable(f"the JSON has no {envelope!r}")
        if not absent and not rows.startswith(b"["):
            raise Unreadable(f"{envelope!r} is not an array")
        found_rows = b"[]" if absent else rows
        return Page(found_rows, seen.page, seen.per_page, seen.total, seen.total_pages, other, absent)

    return read


def _taken_apart(body: bytes, envelope: str) -> tuple[dict[str, msgspec.Raw], bytes, Pagination]:
    """Return a body's top level, its rows ("null" if there are none), and its pagination.

    Raises:
        Unreadable: the body is not a JSON object.
    """
    try:
        found = _top_level.decode(body)
        rows = bytes(found.get(envelope, NO_PAGINATION))
        rows.decode("utf-8")  # raw values are not checked for UTF-8, and JSON is UTF-8 (RFC 8259, 8.1)
        return found, rows, read_pagination(found.get("pagination", NO_PAGINATION))
    except msgspec.ValidationError as problem:
        raise Unreadable(f"the JSON is of another shape: {problem}") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable(_not_json(body)) from None


async def get_page(
    client: "TracklyClient",
    path: str,
    envelope: str,
    *,
    page: int | None = None,
    per_page: int | None = None,
    **filters: str | int,
) -> "Reply[Page]":
    """Read one page of a resource.

    Args:
        client: the account.
        path: of the resource, such as "/contacts".
        envelope: the key of the rows, such as "contacts".
        page: number of the page, from 1; None to omit it, for resources without pages.
        per_page: most rows; at most 1000 for contacts and 100 elsewhere (/api-reference/v2/overview).
        filters: further query parameters, such as status="active".

    Raises:
        TracklySyncError: as `TracklyClient.get` does.
    """
    numbers = {"page": page, "per_page": per_page}
    query = {**filters, **{key: number for key, number in numbers.items() if number is not None}}
    return await client.get(path, query, read_page(envelope))


def read_pagination(raw: msgspec.Raw) -> Pagination:
    """Return the `pagination` of a reply; empty if it makes no sense."""
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict):
        return Pagination()
    return Pagination(*(_count(found.get(name)) for name in Pagination.__struct_fields__))


def _count(value: Any) -> int | None:
    """Return a number of rows or of a page, also if written as text or with a decimal point."""
    try:
        number = None if isinstance(value, bool) else int(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if number is not None and 0 <= number <= _LARGEST and float(value) == number else None


def _not_json(body: bytes) -> str:
    start = body[:64].lstrip().lower()
    if not start:
        return "the body is empty"
    return "HTML instead of JSON" if start.startswith(b"<") else "not JSON, or cut off"
