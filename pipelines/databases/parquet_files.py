"""Parquet files of ours: how they are written, and one that is damaged as an error that names it.

Parquet has no checksum that readers look at: a damaged file shows by whatever its reader stumbles over. So nothing is
checked in advance; where a query fails, the files that it reads are looked at. What does not belong here: files of
others (`pipelines.push.files.unusable`), and what may be done without a file, which is for its owner to say.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import StorageError, TracklySyncError
from schemas.derived.tables import literal

if TYPE_CHECKING:  # status answers at once
    import duckdb

COMPRESSION: Literal["zstd"] = "zstd"
"""Of files that stay; what is read once and removed is compressed otherwise."""


def write_parquet(connection: "duckdb.DuckDBPyConnection", query: str, path: Path, options: str = "") -> int:
    """Write the rows of a query as Parquet; how many there are.

    Args:
        connection: what the query is for.
        query: SQL.
        path: the file; one that is there is replaced.
        options: further ones of DuckDB's COPY, such as `ROW_GROUP_SIZE 5000`.
    """
    form = ", ".join(filter(None, ("FORMAT parquet", f"COMPRESSION {COMPRESSION}", options)))
    ((rows,),) = connection.execute(f"COPY ({query}) TO {literal(str(path))} ({form})").fetchall()
    return int(rows)


@contextmanager
def own_files(
    files: Iterable[Path], remedy: Callable[[Path], str], columns: Collection[str] = ()
) -> Iterator[None]:
    """A block that reads Parquet files of ours; where it fails since one of them is damaged, the error says which.

    Args:
        files: the files.
        remedy: from a file, what to do without it.
        columns: what each of them has at least.

    Raises:
        StorageError: one is damaged.
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
    """What is wrong with a file, read to its end; "" where nothing is.

    Args:
        path: the file.
        columns: what it has at least.
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
