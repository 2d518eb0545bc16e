"""Opens a warehouse file for writing, with limits and the storage version that its readers support."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import WITHOUT_LOG, attached
from pipelines.errors import StorageError

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that can read the file; columns compressed with zstd need this version."""


NAME = "warehouse"
"""Name of the warehouse as a catalog, the one that DuckDB takes from its file's name."""


@contextmanager
def opened_for_writing(
    copy: Path, warehouse: Path, memory: str = duckdb_memory.WAREHOUSE, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of a warehouse.

    Args:
        copy: the file.
        warehouse: the original file.
        memory: a limit of `duckdb_memory`.
        threads: see `duckdb_memory.limits`.

    Raises:
        StorageError: the copy is not a DuckDB file; the message names the warehouse.
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
