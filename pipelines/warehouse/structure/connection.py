"""How a warehouse file is opened to be written: bounds, and the storage version that its readers know."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import WITHOUT_LOG, attached
from pipelines.errors import StorageError

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that reads the file. Columns that are compressed by zstd need this version."""


NAME = "warehouse"
"""Of the warehouse as a catalog: as DuckDB calls it by its file's name."""


@contextmanager
def opened_for_writing(
    copy: Path, warehouse: Path, memory: str = duckdb_memory.WAREHOUSE, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a private copy of a warehouse.

    Args:
        copy: the file.
        warehouse: what it is a copy of.
        memory: a limit of `duckdb_memory`.
        threads: see `duckdb_memory.limits`.

    Raises:
        StorageError: it is no DuckDB file; the message names the warehouse.
    """
    config: duckdb_memory.Config = {
        **duckdb_memory.limits(memory, copy.with_suffix(".spill"), threads),
        "preserve_insertion_order": "false",
    }
    new = "" if copy.exists() else f", STORAGE_VERSION '{STORAGE_VERSION}'"
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(attached(copy, NAME, f" ({WITHOUT_LOG}{new})", config))
        except duckdb.Error as error:
            raise StorageError(
                f"{warehouse} cannot be opened as a DuckDB file ({str(error).splitlines()[0]}).",
                "Move it away and pull again.",
            ) from error
        yield connection
