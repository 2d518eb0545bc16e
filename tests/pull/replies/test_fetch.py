"""Replies on their way to batches: in the order of arrival, none twice and none left, however slow the writer is."""

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from pipelines.errors import StorageError
from pipelines.privacy import KEEP_ALL
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.replies.batches import StoredReply
from pipelines.pull.replies.fetch import Replies, silent
from pipelines.pull.replies.spool import Spool
from pipelines.pull.snapshot import _side_by_side
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient

PAGES, PER_PAGE, BATCH_ROWS = 40, 50, 150


def anything(_: Seen) -> None:
    """Take any page."""


def test_batches_hold_every_reply_in_the_order_of_arrival(settings: Settings, tmp_path: Path) -> None:
    """Many requests at once, small batches, and a writer that is slower than the scan, which then waits."""
    batches: list[list[StoredReply]] = []

    async def write(replies: Replies) -> None:
        async for batch in replies.batches():
            for _ in range(50):
                await asyncio.sleep(0)
            batches.append(batch)

    async def run() -> None:
        spool = Spool.open(tmp_path / "spool", "account")
        async with TracklyClient(settings) as client:
            replies = Replies(client, "contacts", KEEP_ALL, spool, BATCH_ROWS, silent)
            writing = asyncio.create_task(write(replies))

            async def fetch(page: int) -> None:
                await replies.fetch({"page": page, "per_page": PER_PAGE}, anything, fresh=True)

            await asyncio.gather(*map(fetch, range(1, PAGES + 1)))
            await replies.end()
            await writing
        spool.discard()

    asyncio.run(run())
    pages = [[reply.spooled.page for reply in batch] for batch in batches]
    assert [page for batch in pages for page in batch] == list(range(1, PAGES + 1))
    assert all(len(batch) * PER_PAGE >= BATCH_ROWS for batch in pages[:-1])
    requests = {reply.spooled.request for batch in batches for reply in batch}
    assert requests == {f"GET /contacts?page={page}&per_page={PER_PAGE}" for page in range(1, PAGES + 1)}


def test_a_scan_without_rows_ends_with_one_batch_of_none(settings: Settings, tmp_path: Path) -> None:
    """So that there are files of no rows, too."""

    async def run() -> list[list[StoredReply]]:
        spool = Spool.open(tmp_path / "spool", "account")
        async with TracklyClient(settings) as client:
            replies = Replies(client, "contacts", KEEP_ALL, spool, BATCH_ROWS, silent)
            await replies.end()
            found = [batch async for batch in replies.batches()]
        spool.discard()
        return found

    assert asyncio.run(run()) == [[]]


@pytest.mark.parametrize("which", ["the scan", "the writer"])
def test_the_failure_of_either_stops_the_other(which: str) -> None:
    """A disk that is full ends the scan, an account that is gone the writer; the one error is raised."""
    stopped: list[str] = []

    async def fails() -> NoReturn:
        await asyncio.sleep(0)
        raise StorageError("full")

    async def waits(name: str) -> NoReturn:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(name)
        raise AssertionError

    async def run() -> None:
        if which == "the scan":
            await _side_by_side(fails(), waits("the writer"))
        else:
            await _side_by_side(waits("the scan"), fails())

    with pytest.raises(StorageError, match="full"):
        asyncio.run(run())
    assert stopped == [{"the scan": "the writer", "the writer": "the scan"}[which]]
