"""A warehouse that has every table and view, and no rows: what a new one begins as.

To make the tables and views takes half a second of processor time, and is done once in a process, however many
warehouses begin there. What does not belong here: how a warehouse gets its name (`swap`).
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.warehouse.structure.connection import opened_for_writing
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views


@cache
def blank() -> bytes:
    """The file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with opened_for_writing(path, path) as connection:
            complete(connection)
            create_views(connection)
            connection.execute("CHECKPOINT")
        return path.read_bytes()
