"""Values for Dagster's pages: numbers to plot, and tables of a few rows without personal data.

What must not go in: which figures a materialization carries (`metadata`).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from pipelines.text.sanitize import plain
from schemas.columns import PHONE, Dataset, Field, Kind

_HIDDEN = frozenset({"message", "tracking_url"})
"""Columns that no preview shows; JSON columns are omitted too, since they hold the account's own fields."""

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_WIDEST_CELL = 60

Metadata = dict[str, Any]
Row = Mapping[str, Any]


def numbers(figures: Mapping[str, Any]) -> Metadata:
    """Return figures as metadata: numbers, also money, as numbers, which Dagster plots; other values as text."""
    return {name: _number(value) for name, value in figures.items()}


def _number(value: Any) -> int | float | str:
    if isinstance(value, int | float):
        return value
    text = str(value)
    return float(text) if _DECIMAL.fullmatch(text) else plain(text)


def preview(dataset: Dataset, rows: Sequence[Row]) -> dg.TableMetadataValue:
    """Return a table of a few rows without personal data: phone numbers masked, texts and own fields omitted."""
    shown = [f for f in dataset.fields if f.kind is not Kind.JSON and f.name not in _HIDDEN]
    return table(
        [field.name for field in shown],
        [{field.name: _masked(field, row[field.name]) for field in shown} for row in rows],
    )


def table(columns: Sequence[str], rows: Sequence[Row]) -> dg.TableMetadataValue:
    """Return a table of plain text: cells have no links, images or HTML, as they could in Markdown."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _cell(row[name]) for name in columns}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in columns]),
    )


def _masked(field: Field, value: Any) -> Any:
    is_phone = PHONE in field.column.checks or field.name.endswith("_number")
    return f"{str(value)[:2]}…{str(value)[-2:]}" if is_phone and value is not None else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = (
        f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else " ".join(plain(str(value)).split())
    )
    return text if len(text) <= _WIDEST_CELL else f"{text[: _WIDEST_CELL - 1]}…"
