"""How a warehouse file is opened to be written: bounds, and the storage version that its readers know."""

from pathlib import Path

import duckdb

from pipelines import memory
from pipelines.errors import StorageError

STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that reads the file. Columns that are compressed by zstd need this version."""


def opened_for_writing(aside: Path, warehouse: Path) -> duckdb.DuckDBPyConnection:
    """A connection to a private copy of a warehouse.

    Raises:
        StorageError: it is no DuckDB file; the message names the warehouse.
    """
    config: memory.Config = {
        **memory.limits(memory.WAREHOUSE, aside.with_suffix(".spill")),
        "preserve_insertion_order": "false",
        "storage_compatibility_version": STORAGE_VERSION,
    }
    try:
        return duckdb.connect(str(aside), config=config)
    except duckdb.Error as error:
        raise StorageError(
            f"{warehouse} cannot be opened as a DuckDB file ({str(error).splitlines()[0]}).",
            "Move it away and pull again.",
        ) from error
