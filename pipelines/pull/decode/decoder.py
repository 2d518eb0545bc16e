"""One reply, parsed once: what the scan needs of it, and its rows as Arrow columns.

A reply of the contract's shape takes the fast path: its structs give both. Any other one is read row by row, so that
a row of the wrong shape costs no other row. What does not belong here: how values become columns (`columns`), what
distinguishes rows (`row_keys`), and replies together (`replies.batches`).
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
"""Of a reply, at either end; a contact has at most 4,000 (/api-reference/v2/overview)."""


@dataclass(frozen=True, slots=True)
class DecodedReply:
    """A reply that has been read.

    Attributes:
        seen: what the scan needs of it.
        rows: its rows, in columns.
        digest: a short one of its text, to tell whether two replies were equal.
        ends: how its text begins and ends, to look for the names of fields.
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
            Unreadable: it is not the JSON expected.
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
            str(text, "utf-8")  # values that are passed over are not looked at otherwise
            return self._see(text), row_by_row(self._dataset, raw_rows(text, self._envelope))
        except REFUSED:
            raise Unreadable("not JSON") from None
