"""pandera schemas, derived from the declarations, and the one function that validates a batch.

Imports pandas and pandera, so only the engine's working paths load it. Validate batches of tens of thousands
of rows: pandera's cost is per call.
"""

from functools import cache

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaErrors

from schemas.columns import AtLeast, Check, Dataset, LengthAtMost, Matches
from schemas.derived.arrow import TYPES


@cache
def frame_schema(dataset: Dataset) -> pandera.DataFrameSchema:
    """The pandera schema of a frame with Arrow-backed columns (see `to_frame`)."""
    return pandera.DataFrameSchema(
        {
            field.name: pandera.Column(
                pd.ArrowDtype(TYPES[field.kind]),
                [_check(check) for check in field.column.checks],
                nullable=field.nullable,
                description=field.column.doc,
            )
            for field in dataset.fields
        },
        name=dataset.name,
        strict=False,
    )


def to_frame(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """A pandas frame over the same Arrow columns, without conversion."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def broken_rows(dataset: Dataset, table: pa.Table | pa.RecordBatch) -> dict[int, str]:
    """Validate a batch with pandera.

    Returns:
        For each row that breaks a rule, its position in the batch and the reasons, joined by "; ".
        Reasons name columns and rules, never values: values may be personal.
    """
    frame = to_frame(table.select(list(dataset.columns)))
    try:
        frame_schema(dataset).validate(frame, lazy=True)
    except SchemaErrors as errors:
        return _reasons(dataset, errors.failure_cases)
    return {}


def _reasons(dataset: Dataset, cases: pd.DataFrame) -> dict[int, str]:
    unplaced = cases[cases["index"].isna()]
    if len(unplaced):  # a column is missing or has another type: a defect of our decoding, not of the data
        raise TypeError(f"{dataset.name}: frame does not fit its schema: {sorted(set(unplaced['check']))}")
    reasons: dict[int, list[str]] = {}
    for index, column, check in zip(cases["index"], cases["column"], cases["check"], strict=True):
        words = "must not be null" if check == "not_nullable" else f"must be {check}"
        reasons.setdefault(int(index), []).append(f"{column}: {words}")
    return {row: "; ".join(sorted(set(texts))) for row, texts in reasons.items()}


def _check(check: Check) -> pandera.Check:
    """Return a declared check as a pandera check, whose error text is the check in words."""
    match check:
        case Matches(pattern, words):
            return pandera.Check.str_matches(pattern, error=words)
        case AtLeast(bound):
            return pandera.Check.ge(bound, error=check.words)
        case LengthAtMost(characters):
            return pandera.Check.str_length(max_value=characters, error=check.words)
