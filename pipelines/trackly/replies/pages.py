"""Replies that carry rows: one page of a resource, checked as JSON and left unparsed.

The whole body is syntax-checked in one fast pass and the rows are handed on as they came, so that their types
are decoded once, by the contract of the dataset. What does not belong here: which pages to ask for, and in which
order (the pull engine), and what rows mean (schemas).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines.trackly.failures import Unreadable

if TYPE_CHECKING:  # the process that decodes rows asks for none, and httpx takes long to import
    from pipelines.trackly.client import Reply, TracklyClient

_LARGEST = 2**63 - 1


class Pagination(msgspec.Struct, frozen=True):
    """`pagination` of a paged reply (/api-reference/v2/overview); absent where a resource is not paged."""

    page: int | None = None
    per_page: int | None = None
    total: int | None = None
    total_pages: int | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of rows.

    Attributes:
        rows: the JSON array of rows, in UTF-8, exactly as received.
        page: number of the page, from 1, as the reply says it; None where it says nothing.
        per_page: most rows of a page; None where the reply says nothing.
        total: rows in the account that match the query; None where the reply says nothing.
        total_pages: number of the last page; None where the reply says nothing.
        other: top-level keys beside the envelope and `pagination`, sorted.
        absent: whether the rows are null or left out, which is taken for none.
    """

    rows: bytes
    page: int | None
    per_page: int | None
    total: int | None
    total_pages: int | None
    other: tuple[str, ...]
    absent: bool = False


NO_PAGINATION = msgspec.Raw(b"null")
"""In place of the object where a reply has none."""

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_page(envelope: str) -> Callable[[bytes], Page]:
    """A reader of pages whose rows stand under the key `envelope`, for `TracklyClient.get`.

    The reader raises Unreadable for a body that is not JSON or cut off, or with rows that are not an array. Rows
    that are null are none, and so are rows that are left out, where the reply says by its pagination that there are
    none or has nothing else to say. Unknown keys are tolerated and named in `other`, and a pagination that makes no
    sense is taken for none: no page is believed on its word alone.
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
    """A body's top level, its rows ("null" where there are none), and its pagination.

    Raises:
        Unreadable: it is no JSON object.
    """
    try:
        found = _top_level.decode(body)
        rows = bytes(found.get(envelope, NO_PAGINATION))
        rows.decode("utf-8")  # raw values are not checked for it, and JSON is UTF-8 (RFC 8259, 8.1)
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
        envelope: the key that the rows stand under, such as "contacts".
        page: number of the page, from 1; None leaves it out, for resources without pages.
        per_page: most rows; at most 1000 for contacts and 100 elsewhere (/api-reference/v2/overview).
        filters: further query parameters, such as status="active".

    Raises:
        TracklySyncError: as `TracklyClient.get` does.
    """
    numbers = {"page": page, "per_page": per_page}
    query = {**filters, **{key: number for key, number in numbers.items() if number is not None}}
    return await client.get(path, query, read_page(envelope))


def read_pagination(raw: msgspec.Raw) -> Pagination:
    """The `pagination` of a reply; one that makes no sense is taken for none."""
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict):
        return Pagination()
    return Pagination(*(_count(found.get(name)) for name in Pagination.__struct_fields__))


def _count(value: Any) -> int | None:
    """A number of rows or of a page, also written as text or with a decimal point."""
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
