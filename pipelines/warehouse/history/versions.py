"""Keeps versions of contacts, lists, offers and so on when snapshots are published.

The current version is the row in main.<dataset>, so only differences are stored. `sync.<dataset>_ended` has the
versions that are no longer current. `sync.<dataset>_since` has the time since when a current row is valid, if that is
later than the first snapshot. `sync.history_began` has the time of the first snapshot. So publishing the first
snapshot, or one without changes, adds no rows. Rows are compared by a hash over all columns, computed on both sides
at that moment, so it need not be the same in all versions of DuckDB. JSON is compared by value: the same object with
keys in another order, or with other escapes, is not a new version.

What does not belong here: the views and macros that analysts read (`views`), and the tables (`structure.tables`).
"""

from dataclasses import dataclass
from functools import cache

import duckdb

from pipelines.snapshots import Snapshot
from pipelines.warehouse.history.canonical_json import define_same_json
from schemas.columns import Dataset, Kind
from schemas.derived.tables import TYPES, literal
from schemas.own_tables.sync import Consistency
from schemas.own_tables.versions import VERSIONED


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the tables and columns of one history, in SQL.

    Attributes:
        dataset: the dataset of the history.
        main: the table of the current rows.
        ended: the table of versions that are no longer current.
        since: the table of the times since when current rows are valid.
        key: the columns of the key, with commas.
        json: the columns that hold JSON.
        digest: a hash over all columns.
        others: a hash over the columns without JSON.
        valid_from: when a current row began to be valid, in a query that joins `since` as `since`.
    """

    dataset: Dataset
    main: str
    ended: str
    since: str
    key: str
    json: tuple[str, ...]
    digest: str
    others: str
    valid_from: str


@cache
def names(dataset_name: str) -> Names:
    """Return the names of a versioned dataset."""
    dataset = VERSIONED[dataset_name]
    json = (*(field.name for field in dataset.fields if field.kind is Kind.JSON), "extra")
    return Names(
        dataset=dataset,
        main=f"main.{dataset.name}",
        ended=f"sync.{dataset.name}_ended",
        since=f"sync.{dataset.name}_since",
        key=", ".join(dataset.key),
        json=json,
        digest=f"hash({', '.join((*dataset.columns, 'extra'))})",
        others=f"hash({', '.join(name for name in dataset.columns if name not in json)})",
        valid_from="coalesce(since.valid_from, "
        f"(SELECT began_at FROM sync.history_began WHERE dataset = {literal(dataset.name)}))",
    )


def note_changes(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Compare the published rows with the snapshot that will replace them, and keep the changes.

    A fuzzy snapshot keeps rows that it did not see, so only a complete snapshot ends versions of removed rows. A row
    that was read and quarantined was not removed: its version ends, and the row counts as removed when a complete
    snapshot lacks it.
    """
    at = names(snapshot.manifest.dataset)
    new = f"read_parquet({literal(str(snapshot.data))})"
    if not _has_begun(connection, at):
        connection.execute(
            f"INSERT INTO sync.history_began SELECT {literal(at.dataset.name)}, min(synced_at) FROM {new} "
            "HAVING count(*) > 0"
        )
        return
    _find_changes(connection, at, snapshot, new)
    _pass_over_equal_json(connection, at, new)
    if snapshot.manifest.consistency != Consistency.FUZZY:
        _remove_quarantined(connection, at, new, snapshot.manifest.finished_at)
    connection.execute(
        f"INSERT INTO {at.ended} BY NAME SELECT present.*, {at.valid_from} AS valid_from, moment AS valid_to, "
        f"CASE WHEN NOT begins AND ({at.key}) NOT IN (SELECT ({at.key}) FROM quarantined_keys) THEN moment END "
        "AS removed_at "
        f"FROM {at.main} AS present JOIN changes USING ({at.key}) "
        f"LEFT JOIN {at.since} AS since USING ({at.key}) WHERE ends"
    )
    connection.execute(f"DELETE FROM {at.since} WHERE ({at.key}) IN (SELECT ({at.key}) FROM changes)")
    connection.execute(f"INSERT INTO {at.since} SELECT {at.key}, moment FROM changes WHERE begins")
    connection.execute("DROP TABLE changes")
    connection.execute("DROP TABLE quarantined_keys")


def _has_begun(connection: duckdb.DuckDBPyConnection, at: Names) -> bool:
    query = "SELECT 1 FROM sync.history_began WHERE dataset = ?"
    return connection.execute(query, [at.dataset.name]).fetchone() is not None


def _find_changes(connection: duckdb.DuckDBPyConnection, at: Names, snapshot: Snapshot, new: str) -> None:
    """Make the tables `quarantined_keys` (of quarantined rows with a key) and `changes` (keys whose row differs)."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE quarantined_keys AS "
        + _quarantined(at, f"read_parquet({literal(str(snapshot.quarantine))})")
    )
    digests = f"{at.key}, {at.digest} AS digest, {at.others} AS others"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE changes AS SELECT {at.key}, before.others = after.others AS only_json, "
        "before.digest IS NOT NULL AS ends, after.digest IS NOT NULL AS begins, "
        f"coalesce(after.synced_at, seen_at, {literal(snapshot.manifest.finished_at)}::TIMESTAMPTZ) AS moment "
        f"FROM (SELECT {digests} FROM {at.main}) AS before "
        f"FULL JOIN (SELECT {digests}, synced_at FROM {new}) AS after USING ({at.key}) "
        f"LEFT JOIN quarantined_keys USING ({at.key}) "
        "WHERE before.digest IS DISTINCT FROM after.digest"
    )


def _pass_over_equal_json(connection: duckdb.DuckDBPyConnection, at: Names, new: str) -> None:
    """Remove rows from the changes whose JSON differs in form but not in value."""
    if not connection.execute("SELECT 1 FROM changes WHERE only_json LIMIT 1").fetchall():
        return
    define_same_json(connection)
    equal = " AND ".join(f"same_json(present.{name}::VARCHAR, after.{name}::VARCHAR)" for name in at.json)
    connection.execute(
        f"DELETE FROM changes WHERE ({at.key}) IN (SELECT ({at.key}) FROM changes JOIN {at.main} AS present "
        f"USING ({at.key}) JOIN {new} AS after USING ({at.key}) WHERE only_json AND {equal})"
    )
    connection.remove_function("same_json")


def _remove_quarantined(connection: duckdb.DuckDBPyConnection, at: Names, new: str, finished_at: str) -> None:
    """Mark rows as removed that were quarantined before and that a complete snapshot lacks."""
    if not connection.execute(f"SELECT 1 FROM quarantine.{at.dataset.name} LIMIT 1").fetchall():
        return
    before = _quarantined(at, f"quarantine.{at.dataset.name}")
    gone = (
        f"SELECT {at.key} FROM ({before}) ANTI JOIN {at.main} USING ({at.key}) "
        f"ANTI JOIN quarantined_keys USING ({at.key}) ANTI JOIN {new} AS after USING ({at.key})"
    )
    connection.execute(
        f"UPDATE {at.ended} SET removed_at = {literal(finished_at)}::TIMESTAMPTZ "
        f"WHERE removed_at IS NULL AND ({at.key}, valid_to) IN "
        f"(SELECT {at.key}, max(valid_to) FROM {at.ended} SEMI JOIN ({gone}) USING ({at.key}) GROUP BY {at.key})"
    )


def _quarantined(at: Names, rows: str) -> str:
    """Return a query for quarantined rows whose raw JSON has a key, and when each was seen."""
    kinds = {field.name: TYPES[field.kind] for field in at.dataset.fields}
    keys = ", ".join(
        f"CASE WHEN json_valid(raw) THEN TRY_CAST(raw ->> '$.{name}' AS {kinds[name]}) END AS {name}"
        for name in at.dataset.key
    )
    known = " AND ".join(f"{name} IS NOT NULL" for name in at.dataset.key)
    return (
        f"SELECT {at.key}, max(synced_at) AS seen_at FROM (SELECT {keys}, synced_at FROM {rows}) "
        f"WHERE {known} GROUP BY {at.key}"
    )


def rewind(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Restore the history as of the time of a snapshot, and add the step from there to the snapshot.

    Later versions are deleted. The data published at that time need not be this snapshot: an earlier one may have
    been restored before it, or it may never have been published. So the published rows are restored as of that time,
    and their differences from the snapshot are a new step of history (none if they are equal).
    """
    at = names(snapshot.manifest.dataset)
    then = f"{literal(snapshot.manifest.finished_at)}::TIMESTAMPTZ"
    _forget_later_beginning(connection, at, then)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE reopened AS "
        f"SELECT * FROM {at.ended} WHERE valid_to > {then} AND valid_from <= {then}"
    )
    connection.execute(
        f"DELETE FROM {at.main} WHERE ({at.key}) IN "
        f"(SELECT ({at.key}) FROM {at.since} WHERE valid_from > {then} UNION ALL SELECT ({at.key}) FROM reopened)"
    )
    connection.execute(
        f"INSERT INTO {at.main} BY NAME SELECT * EXCLUDE (valid_from, valid_to, removed_at) FROM reopened"
    )
    connection.execute(f"DELETE FROM {at.ended} WHERE valid_to > {then}")
    connection.execute(f"UPDATE {at.ended} SET removed_at = NULL WHERE removed_at > {then}")
    connection.execute(
        f"DELETE FROM {at.since} WHERE valid_from > {then} OR ({at.key}) IN (SELECT ({at.key}) FROM reopened)"
    )
    connection.execute(f"INSERT INTO {at.since} SELECT {at.key}, valid_from FROM reopened")
    connection.execute("DROP TABLE reopened")
    note_changes(connection, snapshot)


def _forget_later_beginning(connection: duckdb.DuckDBPyConnection, at: Names, then: str) -> None:
    """Delete a history that begins after that moment (the warehouse was built again).

    It then begins with this snapshot.
    """
    began = f"FROM sync.history_began WHERE dataset = {literal(at.dataset.name)}"
    if connection.execute(f"SELECT 1 {began} AND began_at > {then}").fetchone():
        connection.execute(f"DELETE FROM {at.ended}; DELETE FROM {at.since}; DELETE {began}")
