"""Replies on disk between the scan and the validation, so that neither waits for the other.

The spool outlives a pull that fails or is killed: its journal says which reply answered which request, and the
next pull of the same account goes on from them if they are many and young. No row is missed by that, since the
proof of consistency (see `windows`) does not depend on when replies were read; values are as of the reply, as in
any long scan. Raw rows lie here only until the snapshot is done.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec

from pipelines.storage import storage_errors

_TAKEN_UP = timedelta(minutes=15)
"""How old a reply of an interrupted pull may be to be taken up: values in it are as old as it is."""

_WORTH_TAKING_UP = 20
"""Replies that an interrupted pull must have read; a short pull had better see the account as it is now."""

_JOURNAL = "journal.ndjson"


class Spooled(msgspec.Struct, frozen=True):
    """One reply as it lies in the spool.

    Attributes:
        page: its number in the order of arrival, from 1; rows name it.
        request: what was asked, without host and key.
        total: the number of rows that the API claimed, if any.
        size: bytes of its body.
        account: a digest that tells accounts apart.
    """

    page: int
    request: str
    sent_at: datetime
    received_at: datetime
    total: int | None
    size: int
    path: str
    account: str = ""

    def read(self) -> bytes:
        """The body.

        Raises:
            StorageError: the file cannot be read.
        """
        with storage_errors("read", Path(self.path)):
            return Path(self.path).read_bytes()


@dataclass(slots=True)
class Spool:
    """A folder of replies, numbered in the order of arrival.

    Attributes:
        earlier: what an interrupted pull left, by request.
    """

    earlier: dict[str, Spooled]
    _folder: Path
    _account: str
    _count: int

    @classmethod
    def open(cls, folder: Path, account: str) -> "Spool":
        """Open a dataset's spool; the caller holds the dataset's lock.

        Args:
            folder: made if it is not there.
            account: what tells the account from others; replies of another one are thrown away.

        Raises:
            StorageError: the disk refused.
        """
        account = sha256(account.encode()).hexdigest()[:16]
        with storage_errors("open", folder):
            left = _left_behind(folder, account)
            if not left:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        earlier = {reply.request: reply for reply in left}
        return cls(earlier, folder, account, max((reply.page for reply in left), default=0))

    def put(
        self, request: str, body: bytes, total: int | None, sent: datetime, received: datetime
    ) -> Spooled:
        """Write a reply down.

        Raises:
            StorageError: the disk refused.
        """
        self._count += 1
        path = self._folder / f"{self._count:07}.json"
        reply = Spooled(self._count, request, sent, received, total, len(body), str(path), self._account)
        with storage_errors("write", path):
            path.write_bytes(body)
            with (self._folder / _JOURNAL).open("ab") as journal:
                journal.write(msgspec.json.encode(reply) + b"\n")
        return reply

    def discard(self) -> None:
        """Delete everything: the snapshot is done."""
        shutil.rmtree(self._folder, ignore_errors=True)


def digest(body: bytes) -> str:
    """A short digest of a reply, to tell whether two replies were equal."""
    return sha256(body).hexdigest()[:24]


def _left_behind(folder: Path, account: str) -> list[Spooled]:
    """The replies of an interrupted pull that can be taken up, oldest first."""
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
    young = [reply for reply in found if reply.received_at >= since and _whole(reply, account)]
    return young if len(young) >= _WORTH_TAKING_UP else []


def _whole(reply: Spooled, account: str) -> bool:
    path = Path(reply.path)
    return reply.account == account and path.exists() and path.stat().st_size == reply.size
