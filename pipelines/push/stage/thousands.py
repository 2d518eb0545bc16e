"""Amounts whose point may part thousands: held back where other rows of their file show that it does, else named.

Only a whole file shows it, so that this comes after its last row. What does not belong here: how an amount is written
(`values.decimal_signs`).
"""

import duckdb

from pipelines.push.values.decimal_signs import DECIMAL_COMMA, GROUPED, OF_AMOUNTS, THREE_DECIMALS
from schemas.columns import Dataset, Field, Kind
from schemas.derived.tables import literal

_EVIDENCE = {
    DECIMAL_COMMA: "other rows of the file write a decimal comma",
    GROUPED: "other rows of the file write points between thousands",
}


def hold_thousands(connection: duckdb.DuckDBPyConnection, dataset: Dataset, number: int) -> None:
    """Hold back amounts with three digits behind the point, where the file shows that these are thousands.

    Args:
        connection: the stage's.
        dataset: what the rows are of.
        number: of the file, all rows of which are in `input`.
    """
    amount = _amount(dataset)
    if amount is None:
        return
    marked = f"file = ? AND marks & {OF_AMOUNTS} <> 0"
    ((marks,),) = connection.execute(
        f"SELECT coalesce(bit_or(marks), 0) FROM input WHERE {marked}", [number]
    ).fetchall()
    why = next((why for bit, why in _EVIDENCE.items() if marks & bit), None)
    if why is None or not marks & THREE_DECIMALS:
        return
    as_read = {name: name for name in dataset.columns}
    as_read[amount.name] = f"CAST(CAST({amount.name} AS DECIMAL(18, 3)) AS VARCHAR)"
    raw = ", ".join(f"{literal(name)}: {value}" for name, value in as_read.items())
    connection.execute(
        f"UPDATE input SET problem = concat_ws('; ', problem, ?), {amount.name} = NULL,"
        f" raw = coalesce(raw, CAST(to_json({{{raw}}}) AS VARCHAR))"
        f" WHERE file = ? AND marks & {THREE_DECIMALS} <> 0",
        [f"{amount.name}: may be thousands: {why}", number],
    )


def files_of_doubtful_thousands(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> list[int]:
    """The files in which every amount with a point has three digits behind it, and nothing says what they are."""
    if _amount(dataset) is None:
        return []
    found = connection.execute(
        f"SELECT file FROM input WHERE marks & {OF_AMOUNTS} <> 0 GROUP BY file"
        f" HAVING bit_or(marks) & {OF_AMOUNTS} = {THREE_DECIMALS} ORDER BY file"
    ).fetchall()
    return [file for (file,) in found]


def _amount(dataset: Dataset) -> Field | None:
    """The column of amounts; no dataset that is pushed has two."""
    return next((field for field in dataset.fields if field.kind is Kind.MONEY), None)
