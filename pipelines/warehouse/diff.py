"""Compares two snapshots: rows that were added or removed, and rows that differ, column by column.

The comparison reads the snapshots' Parquet files with bounded memory: it finds the keys whose rows differ by a hash
over all columns, and then makes a flag per column for these rows. JSON is compared by its value. What does not belong
here: printing, and masking.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.errors import NothingYetError, UsageError
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, readable, snapshots
from pipelines.storage import storage_errors, work_folder
from pipelines.warehouse.history.canonical_json import define_same_json
from pipelines.warehouse.swap import dicts
from schemas.columns import Dataset, Kind
from schemas.derived.tables import TYPES, literal
from schemas.registry import PULLED

_EXTRA = "extra"
"""The only column of ours whose content comes from the account."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row in which a column differs: its key, and the value in both snapshots."""

    key: dict[str, Any]
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """The number of rows in which a column differs, with the first of them by key."""

    rows: int
    examples: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed between two snapshots of a dataset.

    Attributes:
        before: the earlier snapshot.
        after: the later snapshot.
        added: rows that only `after` has; `added_keys` has the first of them.
        removed: rows that only `before` has; `removed_keys` has the first of them.
        changed: rows that both have and that differ.
        columns: columns that differ in some row, the most frequent first.
    """

    before: Snapshot
    after: Snapshot
    added: int
    removed: int
    changed: int
    added_keys: tuple[dict[str, Any], ...]
    removed_keys: tuple[dict[str, Any], ...]
    columns: dict[str, ColumnDiff]


def snapshots_to_compare(
    settings: Settings, dataset: str, before: str | None, after: str | None
) -> tuple[Snapshot, Snapshot]:
    """Return the snapshots with these ids; by default the newest, and the one before it.

    Args:
        settings: see `Settings`.
        dataset: the dataset.
        before: id of the earlier snapshot, if it was given.
        after: id of the later one, if it was given.

    Raises:
        UsageError: there is no such snapshot.
        NothingYetError: there is no snapshot, or only one.
        StorageError: a manifest cannot be read.
    """
    found = snapshots(settings.parquet_dir, dataset)
    if not found:
        raise NothingYetError(f"There is no snapshot of {dataset} yet.", f"Run: trackly-sync pull {dataset}")
    second = _named(found, dataset, after) if after else len(found) - 1
    first = _named(found, dataset, before) if before else second - 1
    if first < 0:
        raise NothingYetError(
            f"There is no snapshot of {dataset} before {found[second].manifest.snapshot} to compare it with.",
            f"Run: trackly-sync pull {dataset} (TRACKLY_KEEP_SNAPSHOTS says how many are kept).",
        )
    if first == second:
        raise UsageError(
            f"Both are the snapshot {found[first].manifest.snapshot}.", f"On disk: {_ids(found)}."
        )
    return found[first], found[second]


def _named(found: Sequence[Snapshot], dataset: str, wanted: str) -> int:
    for place, snapshot in enumerate(found):
        if snapshot.manifest.snapshot == wanted:
            return place
    raise UsageError(f"There is no snapshot {wanted!r} of {dataset}.", f"On disk: {_ids(found)}.")


def _ids(found: Sequence[Snapshot]) -> str:
    return ", ".join(snapshot.manifest.snapshot for snapshot in found)


def compare(settings: Settings, before: Snapshot, after: Snapshot, examples: int) -> Diff:
    """Compare two snapshots of a dataset.

    Args:
        settings: see `Settings`.
        before: the earlier snapshot.
        after: the later snapshot.
        examples: how many rows to name of each kind of change.

    Raises:
        StorageError: a snapshot cannot be read, or the disk refused.
    """
    dataset = PULLED[after.manifest.dataset]
    names = (*(name for name in dataset.columns if name not in dataset.key), _EXTRA)
    with _both(settings, before, after) as connection:
        added, removed = _find_differing(connection, dataset.key, names)
        _flag_columns(connection, dataset, names)
        counts = dicts(
            connection,
            f"SELECT {', '.join(f'count(*) FILTER ({name}) AS {name}' for name in names)}, "
            f"count(*) FILTER ({' OR '.join(names)}) AS changed FROM flags",
        )[0]
        by_count = sorted((name for name in names if counts[name]), key=lambda name: -counts[name])
        return Diff(
            before=before,
            after=after,
            added=added,
            removed=removed,
            changed=counts["changed"],
            added_keys=_keys(connection, dataset.key, "added", examples),
            removed_keys=_keys(connection, dataset.key, "removed", examples),
            columns={
                name: ColumnDiff(counts[name], _changes(connection, dataset.key, name, examples))
                for name in by_count
            },
        )


def _find_differing(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], names: Sequence[str]
) -> tuple[int, int]:
    """Make the table `differing`, the keys of rows that differ; return the numbers of added and removed rows."""
    key = ", ".join(keys)
    rows = f"SELECT {key}, hash({', '.join(names)}) AS digest FROM"
    connection.execute(
        f"CREATE TEMP TABLE differing AS SELECT {key}, old.digest IS NULL AS added, new.digest IS NULL AS removed "
        f"FROM ({rows} before) AS old FULL JOIN ({rows} after) AS new USING ({key}) "
        "WHERE old.digest IS DISTINCT FROM new.digest"
    )
    counted = "SELECT count(*) FILTER (added), count(*) FILTER (removed) FROM differing"
    ((added, removed),) = connection.execute(counted).fetchall()
    return added, removed


@contextmanager
def _both(settings: Settings, before: Snapshot, after: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection with both snapshots as views `before` and `after`, with the columns declared now."""
    fields = PULLED[after.manifest.dataset].fields
    with (
        readable([before, after]),
        work_folder(settings.data_dir) as folder,
        storage_errors("compare", after.folder),
    ):
        config = {
            **duckdb_memory.limits(duckdb_memory.SCRATCH, folder / "spill"),
            "preserve_insertion_order": False,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            define_same_json(connection)
            for name, snapshot in (("before", before), ("after", after)):
                rows = f"read_parquet({literal(str(snapshot.data))})"
                there = {row["column_name"] for row in dicts(connection, f"DESCRIBE FROM {rows}")}
                columns = ", ".join(
                    f"{field.name if field.name in there else 'NULL'}::{TYPES[field.kind]} AS {field.name}"
                    for field in fields
                )
                connection.execute(
                    f"CREATE VIEW {name} AS SELECT {columns}, {_EXTRA}::JSON AS {_EXTRA} FROM {rows}"
                )
            yield connection


def _flag_columns(connection: duckdb.DuckDBPyConnection, dataset: Dataset, names: Sequence[str]) -> None:
    """Make the table `flags`: for each row of both snapshots that may differ, the columns that do."""
    json = {field.name for field in dataset.fields if field.kind is Kind.JSON} | {_EXTRA}
    key = ", ".join(dataset.key)

    def flag(name: str) -> str:
        differs = f"old.{name} IS DISTINCT FROM new.{name}"
        if name in json:
            equal = f"same_json(old.{name}::VARCHAR, new.{name}::VARCHAR)"
            differs = f"CASE WHEN {differs} THEN NOT {equal} ELSE false END"
        return f"{differs} AS {name}"

    connection.execute(
        f"CREATE TEMP TABLE flags AS SELECT {key}, {', '.join(map(flag, names))} FROM differing "
        f"JOIN before AS old USING ({key}) JOIN after AS new USING ({key})"
    )


def _keys(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], which: str, limit: int
) -> tuple[dict[str, Any], ...]:
    key = ", ".join(keys)
    return tuple(dicts(connection, f"SELECT {key} FROM differing WHERE {which} ORDER BY {key} LIMIT {limit}"))


def _changes(
    connection: duckdb.DuckDBPyConnection, key: Sequence[str], name: str, limit: int
) -> tuple[Change, ...]:
    columns = ", ".join(key)
    rows = connection.execute(
        f"SELECT {columns}, old.{name}, new.{name} "
        f"FROM (SELECT {columns} FROM flags WHERE {name} ORDER BY {columns} LIMIT {limit}) "
        f"JOIN before AS old USING ({columns}) JOIN after AS new USING ({columns}) ORDER BY {columns}"
    ).fetchall()
    return tuple(Change(dict(zip(key, row[:-2], strict=True)), row[-2], row[-1]) for row in rows)
