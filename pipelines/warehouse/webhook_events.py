"""Publishes webhook events: every publish copies new events from the queue into webhook_events.

The position in the queue is in sync.webhooks, in the same file, so that both always agree. Bodies are read again if
the contract, or the setting for personal data, has changed. What does not belong here: the queue, and how bodies are
read (`pipelines.webhooks`).
"""

import logging
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipelines.campaigns.publish import note_campaigns
from pipelines.errors import TracklySyncError
from pipelines.privacy import Privacy
from pipelines.settings import Settings
from pipelines.storage import is_there
from pipelines.warehouse.published import has_table
from pipelines.warehouse.structure.tables import Tables, complete, insert
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import reading, replacing
from pipelines.webhooks.events import rows_of
from pipelines.webhooks.pruning import prune_bodies
from pipelines.webhooks.queue.store import Store, existing_store, now
from schemas.derived.arrow import arrow_schema
from schemas.webhook_events import CONTRACT, REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_log = logging.getLogger(__name__)
_MICROSECONDS = 1_000_000
_MERGED_ROWS = 50_000


class _Mark(NamedTuple):
    """How far a queue is in the warehouse, and how its events were taken in.

    Attributes:
        queue: its id.
        change: the last of its changes that is in.
        contract: what a row is made of, see `CONTRACT`.
        personal_data: the setting for it, see `Privacy.label`.
    """

    queue: str
    change: int
    contract: int
    personal_data: str


_NAMES = ", ".join(f'"{name}"' for name in WEBHOOK_EVENTS.columns)


def publish_events(settings: Settings, *, again: bool = False) -> int | None:
    """Publish the new events of the queue.

    Args:
        settings: see `Settings`.
        again: read every stored body again.

    Returns:
        The number of events published; None if there were no new events and the warehouse was not changed.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the queue or the disk refused; the warehouse is as it was.
    """
    with existing_store(settings) as store:
        if store is None:
            return None
        prune_bodies(store, settings)
        if not again and _is_current(store, settings):
            return None
        with replacing(settings.warehouse) as connection:
            done = _take(complete(connection), settings, store, again=again)
            create_views(connection)
            note_campaigns(connection, settings, ())
    return done


def take_events(tables: Tables, settings: Settings) -> None:
    """Copy the new events of the queue into a warehouse that is being written.

    A queue that cannot be read does not stop the publish: its events stay in the queue.
    """
    try:
        with existing_store(settings) as store:
            if store is not None:
                prune_bodies(store, settings)
                _take(tables, settings, store, again=False)
    except TracklySyncError as error:
        _log.warning("Events could not be published; they stay in the queue: %s", error)


def _take(tables: Tables, settings: Settings, store: Store, *, again: bool) -> int:
    """Publish the bodies that changed since, tens of thousands per transaction, so that memory is bounded."""
    connection, privacy, state = tables.connection, Privacy.of(settings), store.state()
    mark = _Mark(store.id, state["change"], CONTRACT, privacy.label)
    before = None if again else _mark(connection)
    after = before.change if before and before._replace(change=mark.change) == mark else 0
    done = waiting = 0
    _make_room(connection)
    for batch in store.batches(after, state["change"]):
        rows = [row for kept in batch for row in rows_of(kept, privacy)]
        insert(connection, "incoming_events", _table(rows))
        done, waiting = done + len(rows), waiting + len(rows)
        if waiting >= _MERGED_ROWS:
            _merge(tables, store, mark._replace(change=batch[-1].change), state)
            waiting = 0
    _merge(tables, store, mark, state)
    connection.execute("DROP TABLE incoming_events")
    return done


def _make_room(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE incoming_events AS SELECT {_NAMES} FROM main.webhook_events LIMIT 0"
    )


def _merge(tables: Tables, store: Store, mark: _Mark, state: dict[str, int]) -> None:
    """Replace the events of these bodies and record the position, in one transaction."""
    connection = tables.connection
    connection.execute("BEGIN")
    try:
        connection.execute(
            "DELETE FROM main.webhook_events WHERE digest IN (SELECT digest FROM incoming_events);"
            "INSERT INTO main.webhook_events BY NAME FROM incoming_events"
        )
        _note_state(tables, store, mark, state)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    _make_room(connection)


def _note_state(tables: Tables, store: Store, mark: _Mark, state: dict[str, int]) -> None:
    """Record the position in the queue, and the receiver's counts."""
    connection = tables.connection
    tables.replace("sync.webhooks", WEBHOOKS, WEBHOOKS.fields)
    values = (*mark, state["unsigned"], state["wrongly_signed"], now() / _MICROSECONDS)
    connection.execute(
        "INSERT INTO sync.webhooks BY NAME SELECT ? AS queue, ? AS change, ? AS contract, ? AS personal_data,"
        " ? AS unsigned, ? AS wrongly_signed, to_timestamp(?) AS published_at,"
        " count(*) AS bodies, coalesce(sum(repeats), 0) AS repeats,"
        " count(happening) - count(DISTINCT happening) AS disagreements,"
        " max(greatest(received_at, coalesce(repeated_at, received_at))) AS last_received_at"
        " FROM main.webhook_events WHERE position = 0",
        list(values),
    )
    tables.replace("sync.webhook_rejections", REJECTIONS, REJECTIONS.fields)
    rejected = store.rejections()
    if rejected:
        rows = pa.table(
            {
                "at": pa.array([one.at for one in rejected], pa.timestamp("us", "UTC")),
                "reason": [one.reason for one in rejected],
                "size": [one.size for one in rejected],
            }
        )
        insert(connection, "sync.webhook_rejections", rows)


def _is_current(store: Store, settings: Settings) -> bool:
    """Whether the warehouse has all events of the queue."""
    if not is_there(settings.warehouse):
        return False
    with reading(settings.warehouse) as connection:
        if not has_table(connection, "sync", "webhooks"):
            return False
        found = _mark(connection)
        counted = connection.execute("SELECT unsigned, wrongly_signed FROM sync.webhooks").fetchone()
    state = store.state()
    wanted = _Mark(store.id, state["change"], CONTRACT, Privacy.of(settings).label)
    return found == wanted and counted == (state["unsigned"], state["wrongly_signed"])


def _mark(connection: duckdb.DuckDBPyConnection) -> _Mark | None:
    row = connection.execute("SELECT queue, change, contract, personal_data FROM sync.webhooks").fetchone()
    return None if row is None else _Mark(*row)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, arrow_schema(WEBHOOK_EVENTS))
