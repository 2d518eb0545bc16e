"""The replies of one dataset, from the API to batches.

    client ─▶ accept ─▶ spool ─▶ a batch, once there are enough rows for one

A scan reads with `Replies.fetch`; `Replies.batches` passes on the replies in the order of arrival. What does not
belong here: which pages are requested (`read.scan`), and the use of batches (`write`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from pipelines.privacy import Privacy
from pipelines.pull.decode.decoder import ReplyDecoder
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.replies.accept import Acceptance, Check
from pipelines.pull.replies.batches import StoredReply
from pipelines.pull.replies.distinct_rows import Distinct
from pipelines.pull.replies.spool import Spool
from pipelines.trackly.client import Query, TracklyClient, Unreadable

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset, different rows read so far, rows expected if known), from any thread."""

_BATCHES_WAITING = 2
"""Batches that may wait to be written before the scan waits too, since they are in memory."""


_OF_PAGES = ("page", "per_page")
"""Parameters that do not select rows."""


def silent(dataset: str, rows: int, expected: int | None) -> None:
    """Ignore progress; has the arguments of `Progress`.

    Args:
        dataset: its name.
        rows: number of rows read so far.
        expected: total number of rows, by the API; None if not known.
    """


class Replies:
    """The replies of one dataset.

    Args:
        client: an open client.
        name: the dataset.
        privacy: which personal data is kept.
        spool: holds replies until the snapshot is done.
        batch_rows: least number of rows of a batch.
        on_progress: see `Progress`.

    Attributes:
        resumed: replies taken over from an interrupted pull.
        retries: attempts after a failed one.
    """

    def __init__(
        self,
        client: TracklyClient,
        name: str,
        privacy: Privacy,
        spool: Spool,
        batch_rows: int,
        on_progress: Progress,
    ) -> None:
        self.resumed = 0
        self.retries = 0
        self._client = client
        self._name = name
        self._endpoint = ENDPOINTS[name]
        self._path = self._endpoint.path
        self._spool = spool
        self._batch_rows = batch_rows
        self._on_progress = on_progress
        self._decoder = ReplyDecoder(name)
        self._acceptance = Acceptance(privacy, name, self._decoder.read)
        self._distinct = None if on_progress is silent else Distinct()
        self._claimed: dict[int, int] = {}
        self._waiting: list[StoredReply] = []
        self._waiting_rows = 0
        self._ready: asyncio.Queue[list[StoredReply] | None] = asyncio.Queue(_BATCHES_WAITING)
        self._in_order = asyncio.Lock()

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:
        """Get a reply, possibly from the spool of an interrupted pull, and keep it.

        Args:
            query: its parameters.
            check: raises Unreadable if the reply is not the requested page.
            fresh: whether the page must be requested now.

        Raises:
            AccessError, RequestError, ServiceError: as in `TracklyClient.get`.
            StorageError: the disk refused.
        """
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        request = f"GET {self._path}{'?' if asked else ''}{asked}"
        reply = None if fresh else self._resume(request, check)
        if reply is None:
            reply = await self._ask(request, query, check)
        self._note_total(query, reply.decoded.seen.total)
        await self._keep(reply)
        return reply.decoded.seen

    async def end(self) -> None:
        """Pass on the remaining replies; no more are fetched."""
        async with self._in_order:
            await self._ready.put(self._waiting)
            await self._ready.put(None)

    async def batches(self) -> AsyncIterator[list[StoredReply]]:
        """Yield batches of replies, each as soon as it has enough rows; the last batch may be empty."""
        while (batch := await self._ready.get()) is not None:
            yield batch

    def _resume(self, request: str, check: Check) -> StoredReply | None:
        """Return a recent reply of an interrupted pull, if there is one that can be read."""
        spooled = self._spool.earlier.pop(request, None)
        if spooled is None:
            return None
        try:
            decoded = self._decoder.read(spooled.read())
            check(decoded.seen)
        except Unreadable:
            return None
        self.resumed += 1
        return StoredReply(spooled, decoded)

    async def _ask(self, request: str, query: Query, check: Check) -> StoredReply:
        reply = await self._client.get(self._path, query, partial(self._acceptance.accepted, check))
        self.retries += reply.attempts - 1
        text, decoded = reply.value
        spooled = self._spool.put(request, text, decoded.seen.total, reply.sent_at, reply.received_at)
        return StoredReply(spooled, decoded)

    def _note_total(self, query: Query, total: int | None) -> None:
        """Remember the total of a query; several queries divide the rows, so their totals are added."""
        asked = {name: value for name, value in query.items() if name not in _OF_PAGES}
        if total is not None and asked in self._endpoint.filters:
            self._claimed[self._endpoint.filters.index(asked)] = total

    def _expected(self, done: int) -> int | None:
        """Return the total number of rows; None until every query has given its total."""
        if len(self._claimed) < len(self._endpoint.filters):
            return None
        return max(sum(self._claimed.values()), done)  # a total may be older than the rows

    async def _keep(self, reply: StoredReply) -> None:
        """Add a reply to the next batch, and pass on the batch when it is full."""
        self._waiting.append(reply)
        rows = len(reply.decoded.seen.keys)
        self._waiting_rows += rows
        if self._distinct:
            done = self._distinct.add(reply.decoded.seen.keys)
            self._on_progress(self._name, done, self._expected(done))
        if self._is_full():
            async with self._in_order:  # batches are passed on in the order of arrival
                if self._is_full():
                    full, self._waiting, self._waiting_rows = self._waiting, [], 0
                    await self._ready.put(full)

    def _is_full(self) -> bool:
        return self._waiting_rows >= self._batch_rows
