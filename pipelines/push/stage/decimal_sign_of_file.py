"""Holds back amounts whose point may separate thousands, if other rows of their file show that it does.

Only a whole file shows this, so it is checked after the last row. What does not belong here: how an amount is written
(`values.decimal_signs`).
"""

from collections.abc import Mapping

import duckdb

from pipelines.push.values.decimal_signs import (
    DECIMAL_COMMA,
    GROUPED,
    NO_THOUSANDS,
    OF_AMOUNTS,
    THREE_DECIMALS,
)
from schemas.columns import Dataset, Kind
from schemas.derived.tables import literal

_EVIDENCE = {
    DECIMAL_COMMA: "other rows of the file write a decimal comma",
    GROUPED: "other rows of the file write points between thousands",
}


def hold_thousands(connection: duckdb.DuckDBPyConnection, dataset: Dataset, number: int) -> None:
    """Hold back amounts with three digits after the point, if the file shows that the point separates thousands.

    Args:
        connection: the connection of the stage.
        dataset: the dataset of the rows.
        number: the number of the file, whose rows are all in `input`.
    """
    amounts = _amounts(dataset)
    if not amounts:
        return
    ((marks,),) = connection.execute(
        f"SELECT coalesce(bit_or(marks), 0) FROM input WHERE file = ? AND marks & {OF_AMOUNTS} <> 0", [number]
    ).fetchall()
    why = next((why for bit, why in _EVIDENCE.items() if marks & bit), None)
    if why is None:
        return
    raw = _as_read(dataset, amounts)
    for name, bit in amounts.items():
        if marks & bit:
            connection.execute(
                f"UPDATE input SET problem = concat_ws('; ', problem, ?), {name} = NULL, raw = coalesce(raw, {raw})"
                f" WHERE file = ? AND marks & {bit} <> 0",
                [f"{name}: may be thousands: {why}", number],
            )


def files_of_doubtful_thousands(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> list[int]:
    """Return the files whose amounts with a point all have three digits after it, without further evidence."""
    if not _amounts(dataset):
        return []
    evidence = NO_THOUSANDS | DECIMAL_COMMA | GROUPED
    found = connection.execute(
        f"SELECT file FROM input WHERE marks & {OF_AMOUNTS} <> 0 GROUP BY file"
        f" HAVING bit_or(marks) & {evidence} = 0 ORDER BY file"
    ).fetchall()
    return [file for (file,) in found]


def _amounts(dataset: Dataset) -> dict[str, int]:
    """Return the columns of amounts, with the bit of each."""
    return {field.name: THREE_DECIMALS[field.name] for field in dataset.fields if field.kind is Kind.MONEY}


def _as_read(dataset: Dataset, amounts: Mapping[str, int]) -> str:
    """Return SQL for the JSON of a row's texts; amounts are typed at this point, so their text is made again."""
    texts = {name: name for name in dataset.columns}
    for name, bit in amounts.items():
        texts[name] = (
            f"CASE WHEN marks & {bit} <> 0 THEN CAST(CAST({name} AS DECIMAL(18, 3)) AS VARCHAR)"
            f" ELSE CAST({name} AS VARCHAR) END"
        )
    return f"CAST(to_json({{{', '.join(f'{literal(name)}: {text}' for name, text in texts.items())}}}) AS VARCHAR)"
