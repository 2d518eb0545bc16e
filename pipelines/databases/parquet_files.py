"""Writes our Parquet files, and raises an error that names a damaged one.

Readers check no checksum of Parquet files, so damage shows as any error of the reader. Files are not checked in
advance; if a query fails, the files that it reads are checked. What does not belong here: other people's files
(`pipelines.push.files.unusable`), and the remedy for a missing file, which the caller gives.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import StorageError, TracklySyncError
from schemas.derived.tables import literal

if TYPE_CHECKING:  # status has to start fast
    import duckdb

COMPRESSION: Literal["zstd"] = "zstd"
"""Compression of files that are kept; files that are read once and deleted use another one."""


def write_parquet(connection: "duckdb.DuckDBPyConnection", query: str, path: Path, options: str = "") -> int:
    """Write the rows of a query as Parquet; return their number.

    Args:
        connection: runs the query.
        query: SQL.
        path: the file; an existing file is replaced.
        options: further options of DuckDB's COPY, such as `ROW_GROUP_SIZE 5000`.
    """
    form = ", ".join(filter(None, ("FORMAT parquet", f"COMPRESSION {COMPRESSION}", options)))
    ((rows,),) = connection.execute(f"COPY ({query}) TO {literal(str(path))} ({form})").fetchall()
    return int(rows)


@contextmanager
def own_files(
    files: Iterable[Path], remedy: Callable[[Path], str], columns: Collection[str] = ()
) -> Iterator[None]:
    """Run a block that reads our Parquet files; if it fails because one is damaged, the error names that file.

    Args:
        files: the files.
        remedy: returns the remedy for a file.
        columns: columns that each file must have.

    Raises:
        StorageError: a file is damaged.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, StorageError) or not isinstance(error, TracklySyncError):
            for path in files:
                if why := damage(path, columns):
                    raise StorageError(f"{path} is damaged: {why}.", remedy(path)) from error
        raise


def damage(path: Path, columns: Collection[str] = ()) -> str:
    """Read a file to its end and return what is wrong with it; "" if nothing is.

    Args:
        path: the file.
        columns: columns that the file must have.
    """
    import duckdb  # noqa: PLC0415 - only where something failed: status asks here too

    if not path.exists():
        return "it is not there"
    with duckdb.connect(":memory:") as connection:
        try:
            rows = connection.sql(f"FROM read_parquet({literal(str(path))})")
            if missing := [name for name in columns if name not in rows.columns]:
                return f"it has no column {missing[0]}"
            rows.aggregate("bit_xor(hash(*COLUMNS(*)))").fetchall()
        except duckdb.Error:
            return "it is no Parquet file, or not complete"
    return ""
