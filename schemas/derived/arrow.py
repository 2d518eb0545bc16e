"""Arrow schemas, derived from the declarations.

JSON columns are Arrow strings that hold JSON text; DuckDB gives them its JSON type (`schemas.derived.tables`).
"""

import pyarrow as pa

from schemas.columns import Dataset, Field, Kind
from schemas.own_tables.pull_columns import QUARANTINED

TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.MONEY: pa.decimal128(18, 4),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.JSON: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.RATIO: pa.float64(),
    Kind.INTEGERS: pa.list_(pa.int64()),
    Kind.TEXTS: pa.list_(pa.string()),
}


def arrow_schema(dataset: Dataset) -> pa.Schema:
    """The dataset's own columns, in declaration order."""
    return pa.schema([_arrow_field(field) for field in dataset.fields])


def quarantine_schema() -> pa.Schema:
    """Return the Parquet schema of quarantined rows."""
    return arrow_schema(QUARANTINED)


def _arrow_field(field: Field) -> "pa.Field[pa.DataType]":
    return pa.field(field.name, TYPES[field.kind], nullable=field.nullable)
