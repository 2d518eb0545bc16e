"""The queue of events: commits that are shared, a writer that recovers, a full queue, and one of another program."""

import asyncio
import hashlib
import http.client
import json
import logging
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from receiving import Poster, delivery, encoded, receiving, settings_of, signed, stored_bodies

from pipelines.errors import StorageError
from pipelines.webhooks.queue import store, tables
from pipelines.webhooks.queue import writer as queue_writer
from pipelines.webhooks.queue.store import Rejection, existing_store, open_store
from pipelines.webhooks.queue.writer import Writer


def test_a_commit_holds_so_many_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits beyond that comes with the next one, in its order."""
    monkeypatch.setattr(queue_writer, "_BATCH_ITEMS", 2)
    commits: list[int] = []

    async def write() -> None:
        with open_store(settings_of(tmp_path)) as queue:
            append = queue.append
            begun = threading.Event()

            def slow(arrivals: Any, rejections: Any, unstored: int) -> None:
                begun.wait(30)
                commits.append(len(rejections))
                append(arrivals, rejections, unstored)

            queue.append = slow  # type: ignore[method-assign]
            writer = Writer(queue)
            waiting = [
                asyncio.ensure_future(writer.write(Rejection(store.now(), "unsigned", size)))
                for size in range(5)
            ]
            gone = asyncio.ensure_future(writer.write(None))
            await asyncio.sleep(0)
            gone.cancel()
            begun.set()
            await asyncio.gather(*waiting, writer.write(None))
            assert gone.cancelled(), "nobody waits for it any more, and the others are answered"
            await asyncio.to_thread(writer.close)
            assert [one.size for one in queue.rejections()] == list(range(5))

    asyncio.run(write())
    assert sum(commits) == 5
    assert max(commits) <= 2


def test_a_queue_that_another_process_has_just_made_is_taken_as_it_is(tmp_path: Path) -> None:
    with open_store(settings_of(tmp_path)) as made:
        identity = made.id
        with made._engine.connect() as connection:
            tables.upgrade(connection, 7)
    with open_store(settings_of(tmp_path)) as again:
        assert again.id == identity


def test_a_full_queue_is_503_until_there_is_room(tmp_path: Path) -> None:
    """Nothing that was answered 2xx is lost, what was not is not there, and repeats of what is there still pass."""
    settings = settings_of(tmp_path, webhook_queue_mb=1)
    with receiving(settings) as poster:
        answers = {}
        for number in range(12):
            body = encoded({"event": "x", "number": number, "filler": "f" * 200_000})
            reply = poster.ask("POST", "/", body, signed(body))
            answers[hashlib.sha256(body).hexdigest()] = reply.status
            assert (reply.getheader("Retry-After") is not None) == (reply.status == 503)
        assert {200, 503} == set(answers.values())
        assert poster.ask("GET", "/health").status == poster.ask("GET", "/health").status == 503
    with receiving(settings_of(tmp_path)) as poster:  # the limit is lifted
        assert poster.post(delivery(1)) == poster.ask("GET", "/health").status == 200
    stored = {one.digest for one in stored_bodies(settings)}
    assert stored - {hashlib.sha256(encoded(delivery(1))).hexdigest()} == {
        d for d, s in answers.items() if s == 200
    }


def test_the_writer_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the disk refuses, events and health are 503; then both are well, and it was counted and logged once."""
    settings = settings_of(tmp_path)
    original = store.Store._begin
    full = threading.Event()

    def begin(self: store.Store):  # type: ignore[no-untyped-def]
        if full.is_set():
            raise StorageError("Cannot use webhooks.db: database or disk is full.")
        return original(self)

    monkeypatch.setattr(store.Store, "_begin", begin)
    with caplog.at_level(logging.WARNING), receiving(settings) as poster:
        assert poster.post(delivery(1)) == 200
        full.set()
        assert [poster.post(delivery(2)), poster.post(delivery(3)), poster.ask("GET", "/health").status] == [
            503
        ] * 3
        assert poster.post(delivery(4), {}) == 401
        full.clear()
        assert poster.ask("GET", "/health").status == 200
        assert poster.post(delivery(2)) == 200
    with existing_store(settings) as found:
        assert found is not None
        assert found.state()["unstored"] == 2
    assert len([line for line in caplog.messages if "503" in line]) == 1
    assert "+1555" not in caplog.text


def test_many_at_once_share_commits_and_drain(tmp_path: Path) -> None:
    """What is under way when the receiver is stopped is answered, and what is answered 2xx is there once."""
    settings = settings_of(tmp_path)
    answered: list[int] = []
    refused = 0

    def client(first: int) -> None:
        nonlocal refused
        with closing(Poster(port)) as poster:
            try:
                answered.extend(n for n in range(first, first + 1_000) if poster.post(delivery(n)) == 200)
            except (OSError, http.client.HTTPException):  # it is stopped
                refused += 1

    with receiving(settings) as first:
        port = first.port
        threads = [threading.Thread(target=client, args=(number * 1_000,)) for number in range(6)]
        for thread in threads:
            thread.start()
        while len(answered) < 200:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    found = {json.loads(one.body)["message_id"] for one in stored_bodies(settings)}
    assert refused == 6
    assert {f"m{number:07}" for number in answered} == found
    with existing_store(settings) as left:
        assert left is not None
        assert left.state()["serving"] == 0


def test_a_queue_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """It says so, and changes nothing."""
    settings = settings_of(tmp_path)
    with open_store(settings) as made, made._begin() as connection:
        connection.execute(tables.STATE.update().where(tables.STATE.c.name == "version").values(number=99))
    with pytest.raises(StorageError, match="newer"), open_store(settings):
        pass
