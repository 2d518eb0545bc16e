"""An empty warehouse with every table and view, from which a new one begins.

Making the tables and views takes half a second of processor time. A process does it once, also for several new
warehouses. What does not belong here: how a warehouse gets its name (`swap`).
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.warehouse.structure.connection import opened_for_writing
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views


@cache
def blank() -> bytes:
    """Return the file's bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with opened_for_writing(path, path) as connection:
            complete(connection)
            create_views(connection)
            connection.execute("CHECKPOINT")
        return path.read_bytes()
