"""Writes the table imports.differences, which each reconciliation replaces.

What does not belong here: finding the differences (`reconcile`), and the other tables of the schema (`publish`).
"""

import pyarrow as pa

from pipelines.settings import Settings
from pipelines.warehouse.publish import publish_beside
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.swap import replacing
from schemas.own_tables.imports import DIFFERENCES
from schemas.own_tables.sync import RunRecord


def publish_differences(settings: Settings, differences: pa.Table, under_way: RunRecord) -> None:
    """Replace imports.differences.

    Args:
        settings: the place of the warehouse.
        differences: the columns of `schemas.own_tables.imports.DIFFERENCES`.
        under_way: the record of the reconciliation that found them, for sync.runs.

    Raises:
        BusyError: another writer held the warehouse for too long.
        StorageError: the disk refused; the warehouse is unchanged.
    """
    with replacing(settings.warehouse) as connection:
        tables = complete(connection)
        tables.replace("imports.differences", DIFFERENCES, DIFFERENCES.fields)
        connection.register("incoming", differences)
        connection.execute("INSERT INTO imports.differences BY NAME FROM incoming")
        connection.unregister("incoming")
        publish_beside(tables, settings, under_way)
