"""Replies on disk between the scan and the validation, so that neither waits for the other.

Raw rows lie here only while a pull runs: they are read again for the raw text of rows that fail validation, and
the folder goes when the snapshot is done.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from pipelines.pull.endpoints import Endpoint
from pipelines.pull.scan import Query
from pipelines.storage import storage_errors
from pipelines.trackly.client import Reply
from pipelines.trackly.pages import Page


@dataclass(frozen=True, slots=True)
class Spooled:
    """One reply as it lies in the spool.

    Attributes:
        page: its number in the order of arrival, from 1; rows name it.
        request: what was asked, without host and key.
        total: the number of rows that the API claimed, if any.
        size: bytes of its rows.
    """

    page: int
    request: str
    sent_at: datetime
    received_at: datetime
    total: int | None
    size: int
    path: Path

    def read(self) -> bytes:
        """The raw array of its rows.

        Raises:
            StorageError: the file cannot be read.
        """
        with storage_errors("read", self.path):
            return self.path.read_bytes()


class Spool:
    """A folder of replies, numbered in the order of arrival."""

    def __init__(self, folder: Path, endpoint: Endpoint) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._count = 0

    def put(self, query: Query, reply: Reply[Page]) -> Spooled:
        """Write a reply's rows.

        Raises:
            StorageError: the disk refused.
        """
        self._count += 1
        path = self._folder / f"{self._count:07}.json"
        rows = reply.value.rows
        with storage_errors("write", path):
            path.write_bytes(rows)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return Spooled(
            page=self._count,
            request=f"GET {self._endpoint.path}{'?' if asked else ''}{asked}",
            sent_at=reply.sent_at,
            received_at=reply.received_at,
            total=reply.value.total,
            size=len(rows),
            path=path,
        )


def digest(rows: bytes) -> str:
    """A short digest of a reply's rows, to tell whether two replies were equal."""
    return sha256(rows).hexdigest()[:24]
