"""contacts_history: versions of contacts, kept while snapshots are published.

The version that holds now is the row in main.contacts, so only what differs from that is stored:
`history.closed` has the versions that no longer hold, `history.opened` since when a present row holds where that
is not the first snapshot, `history.began` when that was. Publishing the first snapshot, or one without changes,
therefore adds nothing. Rows are compared by a hash over all their columns, computed on both sides at that
moment, so that it need not stay the same from one version of DuckDB to the next. JSON is compared by its value: the
same object with its keys in another order, or with other escapes, is no new version.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.snapshots import Snapshot
from pipelines.warehouse.canonical import same_json
from schemas.columns import Field, Kind
from schemas.contacts import CONTACTS
from schemas.contacts_history import HISTORY_FIELDS, VALIDITY
from schemas.sync import Consistency
from schemas.tables import TYPES, comments, create_table, literal

_KEY = ", ".join(CONTACTS.key)
_JSON = (*(field.name for field in CONTACTS.fields if field.kind is Kind.JSON), "extra")
_DIGEST = f"hash({', '.join((*CONTACTS.columns, 'extra'))})"
_READ_ROWS = 50_000
_BUT_JSON = f"hash({', '.join(name for name in CONTACTS.columns if name not in _JSON)})"
_SINCE = "coalesce(opened.valid_from, (SELECT began_at FROM history.began))"


def create_history(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, and the view over them, where they are not there yet; main.contacts must be."""
    key = tuple(field for field in CONTACTS.fields if field.name in CONTACTS.key)
    connection.execute("CREATE SCHEMA IF NOT EXISTS history")
    connection.execute(create_table("history.closed", HISTORY_FIELDS, or_keep=True))
    connection.execute(create_table("history.opened", (*key, VALIDITY.fields[0]), or_keep=True))
    connection.execute("CREATE TABLE IF NOT EXISTS history.began (began_at TIMESTAMPTZ)")
    for comment in _comments(key):
        connection.execute(comment)
    connection.execute(
        f"CREATE OR REPLACE VIEW main.contacts_history AS SELECT contacts.*, {_SINCE} AS valid_from, "
        "NULL::TIMESTAMPTZ AS valid_to, NULL::TIMESTAMPTZ AS removed_at "
        f"FROM main.contacts LEFT JOIN history.opened AS opened USING ({_KEY}) "
        "UNION ALL BY NAME FROM history.closed"
    )
    for comment in comments("main.contacts_history", VALIDITY, HISTORY_FIELDS, kind="VIEW"):
        connection.execute(comment)


def _comments(key: Sequence[Field]) -> Iterator[str]:
    for table, doc, fields in (
        ("closed", "Versions of contacts that no longer hold; read main.contacts_history.", HISTORY_FIELDS),
        ("opened", "Since when contacts hold that have changed.", (*key, VALIDITY.fields[0])),
    ):
        yield from comments(f"history.{table}", replace(VALIDITY, doc=doc, source=""), fields)
    yield "COMMENT ON TABLE history.began IS 'When history begins.'"
    yield "COMMENT ON COLUMN history.began.began_at IS 'When the first contact was read. In UTC.'"


def note_changes(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Compare main.contacts with the snapshot that is about to take its place, and keep what changes.

    A fuzzy snapshot carries on the contacts that it did not see, so only a complete one closes versions of
    contacts that have gone. One that was read and set aside has not gone: its version ends, and it is removed when
    a complete snapshot is without it.
    """
    if connection.execute("SELECT 1 FROM history.began").fetchone() is None:
        connection.execute(
            f"INSERT INTO history.began SELECT min(synced_at) FROM read_parquet({literal(str(snapshot.data))})"
        )
        connection.execute("DELETE FROM history.began WHERE began_at IS NULL")
        return
    new = f"read_parquet({literal(str(snapshot.data))})"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE aside AS "
        + _set_aside(f"read_parquet({literal(str(snapshot.quarantine))})")
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE changes AS SELECT {_KEY}, before.others = after.others AS only_json, "
        "before.digest IS NOT NULL AS ends, after.digest IS NOT NULL AS begins, "
        f"coalesce(after.synced_at, seen_at, {literal(snapshot.manifest.finished_at)}::TIMESTAMPTZ) AS moment "
        f"FROM (SELECT {_KEY}, {_DIGEST} AS digest, {_BUT_JSON} AS others FROM main.contacts) AS before "
        f"FULL JOIN (SELECT {_KEY}, synced_at, {_DIGEST} AS digest, {_BUT_JSON} AS others FROM {new}) AS after "
        f"USING ({_KEY}) "
        f"LEFT JOIN aside USING ({_KEY}) "
        "WHERE before.digest IS DISTINCT FROM after.digest"
    )
    _pass_over_equal_json(connection, new)
    if snapshot.manifest.consistency != Consistency.FUZZY:
        _remove_set_aside(connection, new, snapshot.manifest.finished_at)
    connection.execute(
        f"INSERT INTO history.closed BY NAME SELECT contacts.*, {_SINCE} AS valid_from, moment AS valid_to, "
        f"CASE WHEN NOT begins AND ({_KEY}) NOT IN (SELECT ({_KEY}) FROM aside) THEN moment END AS removed_at "
        f"FROM main.contacts JOIN changes USING ({_KEY}) "
        f"LEFT JOIN history.opened AS opened USING ({_KEY}) WHERE ends"
    )
    connection.execute(f"DELETE FROM history.opened WHERE ({_KEY}) IN (SELECT ({_KEY}) FROM changes)")
    connection.execute(f"INSERT INTO history.opened SELECT {_KEY}, moment FROM changes WHERE begins")
    connection.execute("DROP TABLE changes")
    connection.execute("DROP TABLE aside")


def _pass_over_equal_json(connection: duckdb.DuckDBPyConnection, new: str) -> None:
    """Take contacts out of the changes whose JSON is written in another way and has the same value."""
    pairs = ", ".join(f"contacts.{name} AS before_{name}, after.{name} AS after_{name}" for name in _JSON)
    rewritten = connection.sql(
        f"SELECT {_KEY}, {pairs} FROM changes JOIN main.contacts USING ({_KEY}) "
        f"JOIN {new} AS after USING ({_KEY}) WHERE only_json"
    ).to_arrow_reader(_READ_ROWS)
    equal = pa.Table.from_batches(
        (batch.filter(_equal_json(batch)).select(CONTACTS.key) for batch in rewritten),
        pa.schema([rewritten.schema.field(name) for name in CONTACTS.key]),
    )
    connection.register("equal", equal)
    connection.execute(f"DELETE FROM changes WHERE ({_KEY}) IN (SELECT ({_KEY}) FROM equal)")
    connection.unregister("equal")


def _equal_json(batch: pa.RecordBatch) -> "pa.Array[Any]":
    """Which rows have JSON of the same value before and after."""
    equal = [True] * batch.num_rows
    for name in _JSON:
        pairs = zip(batch[f"before_{name}"].to_pylist(), batch[f"after_{name}"].to_pylist(), strict=True)
        equal = [so_far and same_json(*pair) for so_far, pair in zip(equal, pairs, strict=True)]
    return pa.array(equal, pa.bool_())


def _remove_set_aside(connection: duckdb.DuckDBPyConnection, new: str, finished_at: str) -> None:
    """Mark contacts as removed that were set aside before, and that a complete snapshot is without."""
    gone = (
        f"SELECT {_KEY} FROM ({_set_aside('quarantine.contacts')}) ANTI JOIN main.contacts USING ({_KEY}) "
        f"ANTI JOIN aside USING ({_KEY}) ANTI JOIN {new} AS after USING ({_KEY})"
    )
    connection.execute(
        f"UPDATE history.closed SET removed_at = {literal(finished_at)}::TIMESTAMPTZ "
        f"WHERE removed_at IS NULL AND ({_KEY}, valid_to) IN "
        f"(SELECT {_KEY}, max(valid_to) FROM history.closed SEMI JOIN ({gone}) USING ({_KEY}) GROUP BY {_KEY})"
    )


def _set_aside(rows: str) -> str:
    """A query for the contacts among quarantined rows that can be told by their raw JSON, and when each was seen."""
    kinds = {field.name: TYPES[field.kind] for field in CONTACTS.fields}
    keys = ", ".join(
        f"CASE WHEN json_valid(raw) THEN TRY_CAST(raw ->> '$.{name}' AS {kinds[name]}) END AS {name}"
        for name in CONTACTS.key
    )
    known = " AND ".join(f"{name} IS NOT NULL" for name in CONTACTS.key)
    return (
        f"SELECT {_KEY}, max(synced_at) AS seen_at FROM (SELECT {keys}, synced_at FROM {rows}) "
        f"WHERE {known} GROUP BY {_KEY}"
    )


def rewind(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Make history what it was when the snapshot was whole, and lead it from there to the snapshot.

    Later versions are forgotten. What was published then need not be this snapshot: an earlier one may have been put
    back before it, or nothing have been published of it. So main.contacts is made what it was then, and what
    differs from that is another step of history, none where the two are the same.
    """
    then = f"{literal(snapshot.manifest.finished_at)}::TIMESTAMPTZ"
    if connection.execute(f"SELECT 1 FROM history.began WHERE began_at > {then}").fetchone():
        for table in ("closed", "opened", "began"):  # of a later beginning, when the warehouse was made anew
            connection.execute(f"DELETE FROM history.{table}")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE reopened AS "
        f"SELECT * FROM history.closed WHERE valid_to > {then} AND valid_from <= {then}"
    )
    connection.execute(
        f"DELETE FROM main.contacts WHERE ({_KEY}) IN "
        f"(SELECT ({_KEY}) FROM history.opened WHERE valid_from > {then} UNION ALL SELECT ({_KEY}) FROM reopened)"
    )
    connection.execute(
        "INSERT INTO main.contacts BY NAME SELECT * EXCLUDE (valid_from, valid_to, removed_at) FROM reopened"
    )
    connection.execute(f"DELETE FROM history.closed WHERE valid_to > {then}")
    connection.execute(f"UPDATE history.closed SET removed_at = NULL WHERE removed_at > {then}")
    connection.execute(
        f"DELETE FROM history.opened WHERE valid_from > {then} OR ({_KEY}) IN (SELECT ({_KEY}) FROM reopened)"
    )
    connection.execute(f"INSERT INTO history.opened SELECT {_KEY}, valid_from FROM reopened")
    connection.execute("DROP TABLE reopened")
    note_changes(connection, snapshot)
