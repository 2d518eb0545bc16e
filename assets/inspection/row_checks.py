"""Rows checked by their dataset's declaration, for asset checks. No Dagster here.

What must not go in: where rows come from (`lookups`), and what a finding means for a run (`assets.checks`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from schemas.columns import Dataset, past_times
from schemas.derived.pandera_checks import frame_schema, to_frame
from schemas.values.instants import plausible_between


@dataclass(slots=True)
class Findings:
    """The result of row checks; it names columns, rules and values of documented kinds, never personal data.

    Attributes:
        rows: number of rows checked.
        broken: by "column: rule" of the pandera model, how many rows break it.
        unknown: by "column: value", how many rows hold a value that the vendor does not document.
        odd_times: by column, how many rows hold a time before 2000 or after tomorrow.
    """

    rows: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    odd_times: Counter[str] = field(default_factory=Counter)


def examine(dataset: Dataset, batches: Iterable[pa.RecordBatch]) -> Findings:
    """Validate batches of tens of thousands of rows; memory stays that of one batch."""
    findings = Findings()
    first, end = plausible_between(datetime.now(UTC))
    times = set(past_times(dataset))
    known = {item.name: item.column.known for item in dataset.fields if item.column.known}
    for batch in batches:
        frame = to_frame(batch)
        findings.rows += len(frame)
        findings.broken.update(_broken(dataset, frame))
        for column in times & set(batch.schema.names):
            moments = batch.column(column)
            odd = pc.or_(pc.less(moments, pa.scalar(first)), pc.greater_equal(moments, pa.scalar(end)))
            findings.odd_times[column] += odd.true_count
        for column in known.keys() & set(frame.columns):
            values = frame[column].dropna()
            findings.unknown.update(f"{column}: {value}" for value in values[~values.isin(known[column])])
    return findings


def _broken(dataset: Dataset, frame: pd.DataFrame) -> Counter[str]:
    try:
        frame_schema(dataset).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        places = zip(cases["column"], cases["check"], cases["failure_case"], strict=True)
        return Counter(_rule(str(column), str(check), str(failure)) for column, check, failure in places)
    return Counter()


def _rule(column: str, check: str, failure: str) -> str:
    match check:
        case "not_nullable":
            return f"{column}: must not be null"
        case "column_in_dataframe":  # a missing column has no row position
            return f"{failure}: must be there"
        case _:
            return f"{column}: must be {check}"
