"""Parses one reply once: the keys and page numbers for the scan, and the rows as Arrow columns.

A reply of the contract's shape takes the fast path: its structs give both. Any other reply is read row by row, so
that a row of the wrong shape does not affect other rows. What does not belong here: how values become columns
(`columns`), the keys of rows (`row_keys`), and batches of replies (`replies.batches`).
"""

from dataclasses import dataclass

from xxhash import xxh3_128_hexdigest

from pipelines.pull.decode.columns import (
    REFUSED,
    Decoded,
    decoded,
    raw_rows,
    reply_decoder,
    row_by_row,
)
from pipelines.pull.decode.row_keys import ReplyReader, Seen, see
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.failures import Unreadable
from schemas.registry import PULLED

_END_BYTES = 8192
"""Bytes kept of a reply's beginning and end; a contact has at most 4,000 (/api-reference/v2/overview)."""


@dataclass(frozen=True, slots=True)
class DecodedReply:
    """A reply that has been read.

    Attributes:
        seen: the part that the scan needs.
        rows: its rows, in columns.
        digest: a short digest of its text, to compare replies.
        ends: the beginning and end of its text, to search for the names of fields.
    """

    seen: Seen
    rows: Decoded
    digest: str
    ends: bytes


class ReplyDecoder:
    """Reads the replies of one dataset.

    Args:
        name: the dataset's name in `PULLED`.
    """

    def __init__(self, name: str) -> None:
        self._dataset = PULLED[name]
        endpoint = ENDPOINTS[name]
        self._envelope = endpoint.envelope
        self._typed = reply_decoder(self._dataset.row, endpoint.envelope)
        self._see = ReplyReader(endpoint.envelope, endpoint.identity, endpoint.order, self._dataset)
        self._identity = [self._dataset.columns.index(column) for column in endpoint.identity]
        self._order = endpoint.identity.index(endpoint.order) if endpoint.order else None

    def read(self, text: bytes) -> DecodedReply:
        """Read a reply.

        Raises:
            Unreadable: the reply is not the expected JSON.
        """
        try:
            reply = self._typed.decode(text)
            rows, values = decoded(self._dataset, reply.rows, lambda: raw_rows(text, self._envelope))
            identity = [values[at] for at in self._identity]
            seen = see(identity, self._order, reply.pagination, self._dataset) or self._see(text)
        except REFUSED:
            seen, rows = self._read_row_by_row(text)
        return DecodedReply(seen, rows, xxh3_128_hexdigest(text), text[:_END_BYTES] + text[-_END_BYTES:])

    def _read_row_by_row(self, text: bytes) -> tuple[Seen, Decoded]:
        try:
            str(text, "utf-8")  # otherwise the bytes of skipped values would not be checked
            return self._see(text), row_by_row(self._dataset, raw_rows(text, self._envelope))
        except REFUSED:
            raise Unreadable("not JSON") from None
