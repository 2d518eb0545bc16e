"""Rows of an earlier snapshot that are taken over: those that a scan did not see, and those that pass by now.

What does not belong here: which rows are seen (`pull.read`), and of each row the latest version (`deduplicate`).
"""

from pathlib import Path

from pipelines.databases.duckdb_scratch import scratch
from pipelines.databases.parquet_files import write_parquet
from pipelines.pull.draft import Draft
from pipelines.pull.replies.batches import Batch
from pipelines.pull.write.deduplicate import PLACE, as_parquet, columns_of, good_query, keys_of
from pipelines.snapshots import Snapshot
from schemas.columns import Dataset
from schemas.derived.tables import literal
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.revenue import FROM_EVENTS, REVENUE


def carry_on(draft: Draft, earlier: Path) -> int:
    """Add to a snapshot's rows those of an earlier one that it did not see; they keep where they came from.

    Args:
        draft: the snapshot that is being made; its data file is written again.
        earlier: the earlier snapshot's file.

    Returns:
        How many rows were added.

    Raises:
        StorageError: the disk refused.
    """
    seen, before = (f"(FROM read_parquet({literal(str(path))}))" for path in (draft.data, earlier))
    if draft.dataset.name == REVENUE.name:  # what was made of contacts' totals is in the events too
        before = f"(FROM {before} WHERE source = {literal(FROM_EVENTS)})"
    unseen = (
        f"SELECT * FROM {before} AS before ANTI JOIN {seen} AS seen USING ({', '.join(draft.dataset.key)})"
    )
    if keys_of(draft.dataset) != draft.dataset.key:
        unseen = _unseen_by_content(draft.dataset, before, seen)
    both = draft.folder / "both.parquet"
    with scratch(draft.folder) as connection:
        (added,) = connection.execute(f"SELECT count(*) FROM ({unseen})").fetchall()[0]
        write_parquet(connection, f"FROM {seen} UNION ALL BY NAME {unseen}", both)
        both.replace(draft.data)
    return int(added)


def _unseen_by_content(dataset: Dataset, before: str, seen: str) -> str:
    """The rows of before that are not seen now, where a row may lack its key; those are equal by content."""
    (key,) = dataset.key
    content = f"hash(row({', '.join(dataset.columns)}, extra))"
    numbered = (
        f"SELECT *, CASE WHEN {key} IS NULL THEN {content} END AS content, "
        f"CASE WHEN {key} IS NULL THEN row_number() OVER (PARTITION BY {key}, {content}) END AS occurrence FROM"
    )
    return (
        f"SELECT before.* EXCLUDE (content, occurrence) FROM ({numbered} {before}) AS before "
        f"ANTI JOIN ({numbered} {seen}) AS seen ON before.{key} IS NOT DISTINCT FROM seen.{key} "
        "AND before.content IS NOT DISTINCT FROM seen.content "
        "AND before.occurrence IS NOT DISTINCT FROM seen.occurrence"
    )


def add_passed(before: Snapshot, batch: Batch, draft: Draft) -> set[tuple[int, int]]:
    """Write a snapshot's rows together with some that were quarantined and now pass.

    Args:
        before: the snapshot.
        batch: its quarantined rows, decoded and checked again.
        draft: the snapshot that is being made; its data file is written.

    Returns:
        The places (page, row) of those that passed; a row whose key is published is not among them.

    Raises:
        StorageError: the disk refused.
    """
    dataset = draft.dataset
    old = f"read_parquet({literal(str(before.data))})"
    keys = ", ".join(keys_of(dataset))
    unpublished = f"ANTI JOIN {old} AS published USING ({', '.join(dataset.key)})"
    with scratch(draft.folder) as connection:
        connection.execute(
            f"CREATE TEMP TABLE passed AS SELECT {', '.join(dataset.columns)}, "
            f"{columns_of(BOOKKEEPING, before.manifest.snapshot)}, row "
            f"FROM ({good_query(dataset, [as_parquet(batch)], PLACE)}) AS good {unpublished} "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY page DESC, row DESC) = 1"
        )
        write_parquet(
            connection, f"FROM {old} UNION ALL BY NAME SELECT * EXCLUDE (row) FROM passed", draft.data
        )
        return set(connection.execute("SELECT page, row FROM passed").fetchall())
