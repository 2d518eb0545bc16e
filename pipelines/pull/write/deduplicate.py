"""Proves the two files of a snapshot: the latest version of each row is kept, and all other rows are accounted for.

`conclude` checks every key of the data file that was written during the scan (`data_file`). If a row is in it twice,
or in a version that is not the latest, `assemble` writes the file again from the batches. DuckDB does this work
within a memory limit, and spills to disk, so that memory does not depend on the account's size. What does not belong
here: which sightings without a key are one row (`keyless`), and which rows of one key are two (`same_key`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.databases.duckdb_scratch import scratch
from pipelines.databases.parquet_files import write_parquet
from pipelines.pull.decode.row_keys import KEYLESS
from pipelines.pull.draft import Draft
from pipelines.pull.replies.batches import KEY_SEPARATOR, Batch, raw_bad_rows, read_rows, write_bad
from pipelines.pull.write.data_file import Written
from pipelines.pull.write.keyless import Place, Shared, Sighting, latest_sightings
from pipelines.pull.write.same_key import twins
from pipelines.storage import storage_errors
from schemas.columns import Dataset
from schemas.derived.tables import literal
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED

_ORDER = "(page * 1048576 + row)"
"""When a row was read: pages are numbered in the order of arrival and hold fewer rows than that."""

_NO_BAD = "NULL::VARCHAR AS identity, '' AS raw, '' AS reason, now() AS synced_at, 0 AS page, 0 AS row"
"""The columns of bad rows, for a snapshot without any."""

PLACE = "rows.page || ':' || rows.row"
"""Tells rows without a key apart, if this was decided before."""

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Assembled:
    """The number of rows of each file."""

    rows: int
    quarantined: int


def conclude(draft: Draft, batches: Sequence[Batch], written: Written, *, steady: bool) -> Assembled:
    """Check that the data file has every row once, in its latest version, and write the quarantined rows.

    Args:
        draft: the snapshot that is being made; its data file is written again if needed.
        batches: the batches that were read, at least one.
        written: the data file's rows, and those left out of it.
        steady: whether no change of the account was seen.

    Raises:
        StorageError: the disk refused.
    """
    if keys_of(draft.dataset) == draft.dataset.key and not (steady and written.moved):
        with scratch(draft.folder) as connection:
            quarantined = _quarantined_if_proven(connection, draft, batches, steady=steady)
        if quarantined is not None:
            return Assembled(written.rows, quarantined)
    return assemble(draft, batches, steady=steady)


def _quarantined_if_proven(
    connection: duckdb.DuckDBPyConnection, draft: Draft, batches: Sequence[Batch], *, steady: bool
) -> int | None:
    """Write the quarantined rows and return their number; None if the data file is not right."""
    keys = ", ".join(draft.dataset.key)
    connection.execute(
        f"CREATE VIEW good AS SELECT *, 0 AS row FROM read_parquet({literal(str(draft.data))})"
    )
    twice = f"SELECT 1 FROM good GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    if connection.execute(twice).fetchone() is not None:
        return None
    _place_keyless(connection, draft.dataset, batches, (), steady=steady)
    _collect_bad(connection, draft.dataset, _bad_files(batches))
    if connection.execute("SELECT 1 FROM outdated LIMIT 1").fetchone() is not None:
        return None
    return write_parquet(connection, _quarantined_rows(draft), draft.quarantine)


def assemble(draft: Draft, batches: Sequence[Batch], *, steady: bool) -> Assembled:
    """Write a snapshot's rows and its quarantined rows as zstd Parquet.

    Args:
        draft: the snapshot that is being made.
        batches: what was read, at least one.
        steady: whether the account was not seen to change.

    Raises:
        StorageError: the disk refused.
    """
    dataset = draft.dataset
    with scratch(draft.folder) as connection:
        files = list(map(as_parquet, batches))
        _place_keyless(connection, dataset, batches, files, steady=steady)
        place = "(SELECT last_page || ':' || last_row FROM keyless WHERE (page, row) = (rows.page, rows.row))"
        connection.execute(f"CREATE VIEW good AS {good_query(dataset, files, place)}")
        keys = ", ".join(keys_of(dataset))
        connection.execute(
            f"CREATE TEMP TABLE repeated AS SELECT {keys}, max(read_order) AS latest, max(page) AS last_page "
            f"FROM good GROUP BY {keys} HAVING count(*) > 1"
        )
        others = _twins(connection, draft, batches, steady=steady)
        _collect_bad(connection, dataset, [*_bad_files(batches), *others])
        return Assembled(
            rows=write_parquet(connection, _good_rows(draft), draft.data),
            quarantined=write_parquet(connection, _quarantined_rows(draft), draft.quarantine),
        )


def _bad_files(batches: Sequence[Batch]) -> list[Path]:
    return [path for batch in batches for path in batch.bad]


def as_parquet(batch: Batch) -> Path:
    """Write the good rows of a batch as Parquet, since DuckDB does not read Arrow IPC."""
    path = batch.good.with_suffix(".parquet")
    with storage_errors("write", path):
        pq.write_table(
            read_rows(batch), path, compression="lz4", use_dictionary=False, write_statistics=False
        )
    return path


def keys_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns that tell rows apart; artificial ones for a dataset whose rows may lack a key."""
    nullable = {field.name for field in dataset.fields if field.nullable}
    return ("content_key",) if nullable.intersection(dataset.key) else dataset.key


def good_query(dataset: Dataset, files: Sequence[Path], place: str) -> str:
    """Return a query for all good rows, with each row's order of reading and key.

    Args:
        dataset: the rows' dataset.
        files: the batches' good rows, as Parquet.
        place: an expression that tells apart rows without a key in `rows`.
    """
    rows = f"SELECT *, {_ORDER} AS read_order FROM read_parquet([{_listed(files)}])"
    if keys_of(dataset) == dataset.key:
        return rows
    (key,) = dataset.key
    return f"SELECT *, coalesce({key}, {place}) AS content_key FROM ({rows}) AS rows"


def _place_keyless(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    batches: Sequence[Batch],
    good: Sequence[Path],
    *,
    steady: bool,
) -> None:
    """Make the table `keyless`: each sighting of a row without a usable key, and the last sighting of the same row.

    Args:
        connection: from `scratch`.
        dataset: what the rows are.
        batches: what was read.
        good: their good rows as Parquet, needed if a good row may lack its key.
        steady: see `latest_sightings`.
    """
    connection.execute(
        "CREATE TEMP TABLE keyless (page BIGINT, row INTEGER, last_page BIGINT, last_row INTEGER)"
    )
    sightings = _sightings(connection, dataset, _bad_files(batches), good)
    if not sightings:
        return
    shared = _shared(connection, batches, {sighting.page for sighting in sightings})
    latest = latest_sightings(sightings, shared, _places(batches), steady=steady)
    table = pa.table(
        {
            "page": [one.page for one in latest],
            "row": [one.row for one in latest],
            "last_page": [last.page for last in latest.values()],
            "last_row": [last.row for last in latest.values()],
        }
    )
    connection.register("placed", table)
    connection.execute("INSERT INTO keyless BY NAME FROM placed")


def _sightings(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, bad: Sequence[Path], good: Sequence[Path]
) -> list[Sighting]:
    """Return the sightings of rows without a usable key, each with a digest of its content."""
    queries = []
    if bad:
        queries.append(
            f"SELECT page, row, hash(raw) FROM read_parquet([{_listed(bad)}]) WHERE identity IS NULL"
        )
    if good and keys_of(dataset) != dataset.key:
        content = f"hash(row({', '.join(dataset.columns)}, extra))"
        (key,) = dataset.key
        queries.append(
            f"SELECT page, row, {content} FROM read_parquet([{_listed(good)}]) WHERE {key} IS NULL"
        )
    rows = connection.execute(" UNION ALL ".join(queries)).fetchall() if queries else []
    return [Sighting(page, row, content) for page, row, content in rows]


def _places(batches: Sequence[Batch]) -> dict[int, Place]:
    """Return the place of each reply in the order, by its number."""
    pages = [page for batch in batches for page in batch.pages]
    return {page.page: Place.of(page.request, page.rows) for page in pages}


def _shared(
    connection: duckdb.DuckDBPyConnection, batches: Sequence[Batch], pages: set[int]
) -> Iterator[Shared]:
    """Yield the rows with keys that pairs of replies share, by pages and then by place in the first."""
    rows = pa.concat_tables([read_rows(batch).select(["page", "row", "row_key"]) for batch in batches])
    connection.register("read_rows", rows)
    connection.register("some_pages", pa.table({"page": pa.array(sorted(pages), pa.int64())}))
    connection.execute(
        "WITH keyed AS (FROM read_rows SEMI JOIN some_pages USING (page) "
        f"WHERE row_key >= {KEYLESS}) SELECT one.page, other.page, one.row, other.row FROM keyed AS one "
        "JOIN keyed AS other ON one.row_key = other.row_key AND one.page < other.page ORDER BY ALL"
    )
    while some := connection.fetchmany(_ROWS_AT_ONCE):
        for first, second, row, other_row in some:
            yield Shared(first, second, row, other_row)


def _listed(files: Sequence[Path]) -> str:
    return ", ".join(literal(str(path)) for path in files)


def _twins(
    connection: duckdb.DuckDBPyConnection, draft: Draft, batches: Sequence[Batch], *, steady: bool
) -> list[Path]:
    """Return rows that are proved to differ from the published row of their key, as files of bad rows."""
    dataset, replies = draft.dataset, [reply for batch in batches for reply in batch.replies]
    pages = [page for batch in batches for page in batch.pages]
    near, far = twins(connection, dataset, keys_of(dataset), pages, steady=steady)
    bad = raw_bad_rows(dataset, replies, near)
    # without an identity, since the later row of this key does not replace them
    bad += [{**row, "identity": None} for row in raw_bad_rows(dataset, replies, far)]
    path = write_bad(bad, draft.work / "bad-twins.parquet")
    return [path] if path else []


def _collect_bad(connection: duckdb.DuckDBPyConnection, dataset: Dataset, files: Sequence[Path]) -> None:
    """Collect bad rows in their last version; a row whose key was read again later is dropped."""
    if not files:
        connection.execute(f"CREATE TEMP TABLE bad AS SELECT {_NO_BAD} LIMIT 0")
        connection.execute("CREATE TEMP TABLE outdated AS SELECT page, row FROM good LIMIT 0")
        return
    identity = f"concat_ws('{KEY_SEPARATOR}', {', '.join(keys_of(dataset))})"
    connection.execute(
        f"CREATE TEMP TABLE bad AS SELECT * FROM read_parquet([{_listed(files)}]) "
        "ANTI JOIN (SELECT page, row FROM keyless WHERE (page, row) <> (last_page, last_row)) USING (page, row) "
        "QUALIFY identity IS NULL OR page = max(page) OVER (PARTITION BY identity)"
    )
    connection.execute(
        f"CREATE TEMP TABLE also_good AS SELECT {identity} AS identity, page, row FROM good "
        f"WHERE {identity} IN (SELECT identity FROM bad)"
    )
    connection.execute(
        "DELETE FROM bad WHERE EXISTS "
        "(FROM also_good WHERE also_good.identity = bad.identity AND also_good.page > bad.page)"
    )
    connection.execute(
        "CREATE TEMP TABLE outdated AS SELECT also_good.page, also_good.row FROM also_good "
        "JOIN bad USING (identity) WHERE bad.page > also_good.page"
    )


def _good_rows(draft: Draft) -> str:
    columns = ", ".join(f'"{name}"' for name in draft.dataset.columns)
    keys = ", ".join(keys_of(draft.dataset))
    return (
        f"SELECT {columns}, {columns_of(BOOKKEEPING, draft.snapshot)} FROM good "
        f"ANTI JOIN (SELECT good.page, good.row FROM good JOIN repeated USING ({keys}) "
        "WHERE read_order < latest UNION ALL FROM outdated) AS superseded USING (page, row)"
    )


def _quarantined_rows(draft: Draft) -> str:
    return f"SELECT {columns_of(QUARANTINED, draft.snapshot)} FROM bad"


def columns_of(dataset: Dataset, snapshot: str) -> str:
    """Return a declaration's columns as SQL, with the snapshot's id as a constant."""
    return ", ".join(
        f"{literal(snapshot)} AS snapshot" if name == "snapshot" else name for name in dataset.columns
    )
