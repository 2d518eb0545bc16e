"""Replies on disk: an interrupted pull continues from them, and the raw JSON of bad rows is read from them.

The spool outlives a pull that fails or is killed: its journal records which reply answered which request, and the
next pull of the same account continues from the replies if they are many and recent. No row is missed by this, since
the proof of consistency (see `read.windows`) does not depend on when replies were read; values are as of the reply,
as in any long scan. Raw rows are kept here only until the snapshot is done.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipelines.storage import private_folder, storage_errors

_TAKEN_UP = timedelta(minutes=15)
"""Greatest age of a reply of an interrupted pull that is used: its values are as old as the reply."""

_WORTH_TAKING_UP = 20
"""Least number of replies that an interrupted pull must have read; a short pull should read the account again."""

_JOURNAL, _BODIES = "journal.ndjson", "bodies"


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """One reply in the spool.

    Attributes:
        path: the file with its body and others.
        offset: where in the file the body begins, in bytes.
        size: of the body, in bytes.
        page: its number in the order of arrival, from 1; rows name it.
        request: the request, without host and key.
        sent_at: when the request was sent; aware, UTC.
        received_at: when its last byte had arrived; aware, UTC.
        total: the number of rows that the API claimed, if any.
        account: a digest that distinguishes accounts.
    """

    path: str
    offset: int
    size: int
    page: int
    request: str
    sent_at: datetime
    received_at: datetime
    total: int | None
    account: str = ""

    def read(self) -> bytes:
        """The body.

        Raises:
            StorageError: the file cannot be read.
        """
        with storage_errors("read", Path(self.path)), Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(slots=True)
class Spool:
    """A folder of replies, numbered in the order of arrival: bodies in one file, a journal in another.

    Attributes:
        earlier: replies of an interrupted pull, by request.
    """

    earlier: dict[str, Spooled]
    _folder: Path
    _account: str
    _count: int
    _bodies: BinaryIO
    _journal: BinaryIO

    @classmethod
    def open(cls, folder: Path, account: str) -> "Spool":
        """Open a dataset's spool; the caller holds the dataset's lock.

        Args:
            folder: made if it is not there.
            account: a text that identifies the account; replies of another account are deleted.

        Raises:
            StorageError: the disk refused.
        """
        account = sha256(account.encode()).hexdigest()[:16]
        with storage_errors("open", folder):
            left = _left_behind(folder, account)
            if not left:
                shutil.rmtree(folder, ignore_errors=True)
            private_folder(folder)
            bodies, journal = (folder / _BODIES).open("ab"), (folder / _JOURNAL).open("ab")
        earlier = {reply.request: reply for reply in left}
        return cls(earlier, folder, account, max((reply.page for reply in left), default=0), bodies, journal)

    def put(
        self, request: str, body: bytes, total: int | None, sent: datetime, received: datetime
    ) -> Spooled:
        """Write a reply: its body, then its line in the journal.

        Args:
            request: the request, without host and key.
            body: of the reply.
            total: the number of rows that it claims, if any.
            sent: when the request was sent; aware, UTC.
            received: when its last byte had arrived; aware, UTC.

        Raises:
            StorageError: the disk refused.
        """
        bodies, journal = self._folder / _BODIES, self._folder / _JOURNAL
        with storage_errors("write", bodies):
            offset = self._bodies.tell()
            self._bodies.write(body)
            self._bodies.flush()
        self._count += 1
        reply = Spooled(
            path=str(bodies),
            offset=offset,
            size=len(body),
            page=self._count,
            request=request,
            sent_at=sent,
            received_at=received,
            total=total,
            account=self._account,
        )
        with storage_errors("write", journal):
            self._journal.write(msgspec.json.encode(reply) + b"\n")
            self._journal.flush()
        return reply

    def close(self) -> None:
        """Close the files, which stay for the next pull. Data that could not be written is lost."""
        for file in (self._bodies, self._journal):
            with suppress(OSError):
                file.close()

    def discard(self) -> None:
        """Delete everything: the snapshot is done."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _left_behind(folder: Path, account: str) -> list[Spooled]:
    """Return the replies of an interrupted pull that can be used, oldest first."""
    journal = folder / _JOURNAL
    if not journal.exists():
        return []
    found = []
    for line in journal.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Spooled))
        except msgspec.DecodeError:
            break  # the line that was being written when the pull was killed
    since = datetime.now(UTC) - _TAKEN_UP
    young = [reply for reply in found if reply.received_at >= since and _is_complete(reply, account)]
    return young if len(young) >= _WORTH_TAKING_UP else []


def _is_complete(reply: Spooled, account: str) -> bool:
    path = Path(reply.path)
    return reply.account == account and path.exists() and path.stat().st_size >= reply.offset + reply.size
