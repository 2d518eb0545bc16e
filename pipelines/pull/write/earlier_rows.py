"""Takes over rows of an earlier snapshot: rows that a scan did not see, and quarantined rows that now pass.

What does not belong here: which rows are read (`pull.read`), and the latest version of each row (`deduplicate`).
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
    """Add rows of an earlier snapshot that the new one did not see; these rows keep their snapshot and page.

    Args:
        draft: the snapshot that is being made; its data file is written again.
        earlier: the earlier snapshot's file.

    Returns:
        How many rows were added.

    Raises:
        StorageError: the disk refused.
    """
    seen, before = (f"(FROM read_parquet({literal(str(path))}))" for path in (draft.data, earlier))
    if draft.dataset.name == REVENUE.name:  # revenue derived from contacts' totals is in the events too
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
    """Return a query for earlier rows not seen now, if rows may lack a key; such rows are compared by content."""
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
    """Write a snapshot's rows together with quarantined rows that now pass.

    Args:
        before: the snapshot.
        batch: its quarantined rows, decoded and checked again.
        draft: the snapshot that is being made; its data file is written.

    Returns:
        The places (page, row) of the rows that passed; a row whose key is published is not among them.

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
