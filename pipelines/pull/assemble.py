"""Parts into the two files of a snapshot: of each row the latest version read, everything else accounted for.

The work is DuckDB's, within a memory limit and with room to spill, so that it stays flat whatever the account's
size.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.pull.refine import KEY_SEPARATOR, Refinery
from pipelines.pull.scratch import scratch
from schemas.bookkeeping import BOOKKEEPING, QUARANTINED
from schemas.columns import Dataset
from schemas.tables import literal

_ORDER = "(page * 1048576 + row)"
"""When a row was read: pages are numbered in the order of arrival and hold fewer rows than that."""

_NO_BAD = "'' AS identity, '' AS raw, '' AS reason, now() AS synced_at, 0 AS page, 0 AS row"
"""The columns of bad parts, for a snapshot without any."""

_SAME_REPLY = "the key stands on another row of the same reply too"


@dataclass(frozen=True, slots=True)
class Assembled:
    """How many rows each file has."""

    rows: int
    quarantined: int


def assemble(refinery: Refinery, data: Path, quarantine: Path) -> Assembled:
    """Write a snapshot's rows and its quarantined rows as zstd Parquet.

    Args:
        refinery: a flushed refinery with at least one good part.
        data: the file of published rows.
        quarantine: the file of rows set aside.

    Raises:
        StorageError: the disk refused.
    """
    with scratch(data.parent) as connection:
        connection.execute(f"CREATE VIEW good AS {_identified(refinery)}")
        _find_repeated(connection, refinery)
        _find_bad(connection, refinery)
        rows = _write_good(connection, refinery, data)
        quarantined = _write_bad(connection, refinery.snapshot, quarantine)
    return Assembled(rows, quarantined)


def _identified(refinery: Refinery) -> str:
    """The good parts with the columns that tell rows apart under fixed names."""
    files = ", ".join(literal(str(path)) for path in refinery.good)
    dataset = refinery.dataset
    parts = f"(SELECT *, {_ORDER} AS read_order FROM read_parquet([{files}]))"
    keyed = all(not field.nullable for field in dataset.fields if field.name in dataset.key)
    if keyed:
        return f"SELECT *, struct_pack({', '.join(dataset.key)}) AS key FROM {parts}"
    # Rows without an id are told apart by content and by how often it occurs within a reply.
    content = f"md5(row({', '.join(dataset.columns)}, extra)::VARCHAR)"
    nth = f"row_number() OVER (PARTITION BY page, {content} ORDER BY row)"
    (key,) = dataset.key
    return f"SELECT *, struct_pack({key} := coalesce({key}, {content} || ':' || {nth})) AS key FROM {parts}"


def _find_repeated(connection: duckdb.DuckDBPyConnection, refinery: Refinery) -> None:
    """Keys read more than once, with the last time; equal keys within that last reply go to quarantine."""
    connection.execute(
        "CREATE TEMP TABLE repeated AS SELECT key, max(read_order) AS latest, max(page) AS last_page "
        "FROM good GROUP BY key HAVING count(*) > 1"
    )
    twins = connection.execute(
        "SELECT page, row FROM good JOIN repeated USING (key) WHERE page = last_page AND read_order < latest"
    ).fetchall()
    refinery.set_aside((page, row, _SAME_REPLY) for page, row in twins)


def _find_bad(connection: duckdb.DuckDBPyConnection, refinery: Refinery) -> None:
    """Bad rows as last read: those of a key that was read well later, or read badly again, are history."""
    if not refinery.bad:
        connection.execute(f"CREATE TEMP TABLE bad AS SELECT {_NO_BAD} LIMIT 0")
        connection.execute(
            "CREATE TEMP TABLE also_good AS SELECT key, '' AS identity, 0 AS page FROM good LIMIT 0"
        )
        return
    files = ", ".join(literal(str(path)) for path in refinery.bad)
    identity = f"concat_ws('{KEY_SEPARATOR}', {', '.join(f'key.{name}' for name in refinery.dataset.key)})"
    connection.execute(
        f"CREATE TEMP TABLE bad AS SELECT * FROM read_parquet([{files}]) "
        "QUALIFY page = max(page) OVER (PARTITION BY identity)"
    )
    connection.execute(
        "CREATE TEMP TABLE also_good AS "
        f"SELECT key, {identity} AS identity, max(page) AS page FROM good "
        f"WHERE {identity} IN (SELECT identity FROM bad) GROUP BY ALL"
    )
    connection.execute(
        "DELETE FROM bad WHERE EXISTS "
        "(FROM also_good WHERE also_good.identity = bad.identity AND also_good.page > bad.page)"
    )


def _write_good(connection: duckdb.DuckDBPyConnection, refinery: Refinery, path: Path) -> int:
    columns = ", ".join(f'"{name}"' for name in refinery.dataset.columns)
    kept = _kept(BOOKKEEPING, refinery.snapshot)
    return _copied(
        connection,
        f"SELECT {columns}, {kept} FROM good "
        "WHERE NOT EXISTS (FROM repeated WHERE repeated.key = good.key AND good.read_order < repeated.latest) "
        "AND NOT EXISTS (FROM also_good JOIN bad USING (identity) "
        "WHERE also_good.key = good.key AND bad.page > good.page)",
        path,
    )


def _write_bad(connection: duckdb.DuckDBPyConnection, snapshot: str, path: Path) -> int:
    kept = _kept(QUARANTINED, snapshot)
    return _copied(connection, f"SELECT {kept} FROM bad", path)


def _kept(dataset: Dataset, snapshot: str) -> str:
    """A declaration's columns, the snapshot's id being a constant."""
    return ", ".join(
        f"{literal(snapshot)} AS snapshot" if name == "snapshot" else name for name in dataset.columns
    )


def _copied(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    row = connection.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchone()
    assert row is not None  # noqa: S101 - COPY always tells its count
    return int(row[0])
