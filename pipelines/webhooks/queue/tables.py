"""The tables of the queue of events and their version; a newer version is refused.

To change one: raise VERSION in `state`, and bring older ones up to date in `upgrade`. What does not belong here:
reading and writing them (`store`).
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from pipelines.errors import StorageError
from pipelines.webhooks.queue.state import NUMBERS, VERSION

_metadata = sa.MetaData()
_BYTES = sa.LargeBinary
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
BODIES = sa.Table(
    "webhook_bodies",
    _metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("received_at", sa.BigInteger, nullable=False),  # microseconds since 1970, as all times here
    sa.Column("repeated_at", sa.BigInteger),
    sa.Column("repeats", sa.BigInteger, nullable=False),
    sa.Column("verified", sa.Boolean, nullable=False),
    sa.Column("form", sa.SmallInteger, nullable=False),
    sa.Column("body", _BYTES, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, index=True),
    sa.Index("webhook_bodies_by_age", "form", "received_at"),
)
REJECTIONS = sa.Table(
    "webhook_rejections",
    _metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
STATE = sa.Table(
    "webhook_state",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)


def version_of(connection: sa.Connection) -> int | None:
    """Return the version of the tables; None without tables.

    Raises:
        StorageError: a newer program wrote them.
    """
    if not sa.inspect(connection).has_table(STATE.name):
        return None
    found = connection.execute(sa.select(STATE.c.number).where(STATE.c.name == "version")).scalar()
    if found is not None and found > VERSION:
        raise StorageError(
            f"The queue of events was written by a newer Trackly Sync (its version is {found}, this one knows "
            f"{VERSION}).",
            "Install the newer Trackly Sync again.",
        )
    return found


def upgrade(connection: sa.Connection, made_at: int) -> None:
    """Make the tables; one process at a time.

    Args:
        connection: within a transaction.
        made_at: the current time, in microseconds since 1970.

    Raises:
        StorageError: a newer program wrote them.
    """
    if connection.dialect.name == "postgresql":  # for SQLite `making` sees to it
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('trackly-sync webhooks'))"))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver leaves it out before a CREATE
    if version_of(connection) == VERSION:
        return
    _metadata.create_all(connection)
    rows: list[Mapping[str, Any]] = [
        {"name": "version", "number": VERSION, "text": ""},
        {"name": "queue", "number": made_at, "text": str(uuid4())},
        *({"name": name, "number": 0, "text": ""} for name in NUMBERS),
    ]
    connection.execute(STATE.insert(), rows)
