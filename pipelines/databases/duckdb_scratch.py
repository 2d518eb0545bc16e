"""An in-memory DuckDB with a memory limit and a folder to spill into, for work on Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import attached
from pipelines.storage import storage_errors


@contextmanager
def scratch(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection for a block; it spills into `folder`.

    Raises:
        StorageError: the disk refused.
    """
    config: duckdb_memory.Config = {
        **duckdb_memory.limits(duckdb_memory.SCRATCH, folder / "spill"),
        "preserve_insertion_order": False,
    }
    with storage_errors("write", folder), attached(None, "scratch", config=config) as connection:
        yield connection
