"""The replies of one dataset, from the API to batches.

    client ─▶ accept ─▶ spool ─▶ a batch, once there are rows enough for one

`Replies.fetch` is what a scan reads with; `Replies.batches` hands on what it has read, in the order of arrival. What
does not belong here: which pages are asked for (`read.scan`), and what becomes of batches (`write`).
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
"""Batches that may wait to be written before the scan waits too: they are in memory."""


_OF_PAGES = ("page", "per_page")
"""Parameters that do not say which rows are wanted."""


def silent(dataset: str, rows: int, expected: int | None) -> None:
    """Progress that nobody watches; takes what `Progress` does.

    Args:
        dataset: its name.
        rows: read so far.
        expected: rows in all, by the API; None where it does not say.
    """


class Replies:
    """The replies of one dataset.

    Args:
        client: an open client.
        name: the dataset.
        privacy: what is kept of personal data.
        spool: holds replies until the snapshot is done.
        batch_rows: how many rows make a batch, at the least.
        on_progress: see `Progress`.

    Attributes:
        resumed: replies taken over from an interrupted pull.
        retries: attempts that were made again because one failed.
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
        """Get a reply, from the spool of an interrupted pull if that will do, and keep it.

        Args:
            query: its parameters.
            check: raises Unreadable where the reply is not the page asked for.
            fresh: whether it must be asked for now.

        Raises:
            AccessError, RequestError, ServiceError: as `TracklyClient.get`.
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
        """Hand on what is left; nothing is fetched any more."""
        async with self._in_order:
            await self._ready.put(self._waiting)
            await self._ready.put(None)

    async def batches(self) -> AsyncIterator[list[StoredReply]]:
        """Batches of replies, as soon as there are rows enough for one; the last one may have none."""
        while (batch := await self._ready.get()) is not None:
            yield batch

    def _resume(self, request: str, check: Check) -> StoredReply | None:
        """A young reply of an interrupted pull, if there is one that can be read."""
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
        """Remember what a query claims; several share out the rows, so that all of them together are expected."""
        asked = {name: value for name, value in query.items() if name not in _OF_PAGES}
        if total is not None and asked in self._endpoint.filters:
            self._claimed[self._endpoint.filters.index(asked)] = total

    def _expected(self, done: int) -> int | None:
        """Rows in all; None as long as one of the queries has not given its total."""
        if len(self._claimed) < len(self._endpoint.filters):
            return None
        return max(sum(self._claimed.values()), done)  # totals may be older than rows

    async def _keep(self, reply: StoredReply) -> None:
        """Add a reply to the next batch, and hand that on when it is full."""
        self._waiting.append(reply)
        rows = len(reply.decoded.seen.keys)
        self._waiting_rows += rows
        if self._distinct:
            done = self._distinct.add(reply.decoded.seen.keys)
            self._on_progress(self._name, done, self._expected(done))
        if self._is_full():
            async with self._in_order:  # batches are handed on in the order of arrival
                if self._is_full():
                    full, self._waiting, self._waiting_rows = self._waiting, [], 0
                    await self._ready.put(full)

    def _is_full(self) -> bool:
        return self._waiting_rows >= self._batch_rows
