"""Which rows of a staged input are not sent, and why: the verdict `quarantined`; `conflicts` adds `duplicate`.

Reasons name columns and rules, never values. What does not belong here: `parked`, which depends on the ledger
(`compare`), and types (`values.formats`, when the stage is loaded).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.push.checks.conflicts import find
from pipelines.push.checks.revenue.synced_by_tune import note_synced
from pipelines.push.stage.database import is_empty, read
from pipelines.push.values.api_records import record
from pipelines.trackly.imports import MAX_BODY_BYTES
from pipelines.warehouse.published import for_pushes
from schemas.columns import Dataset, Kind
from schemas.derived.tables import breaks_a_check, literal

ENVELOPE = (b'{"records":[', b"]}")
"""The bytes of a request's body before and after its records (/api-reference/v2/history/import-sends)."""

MAX_RECORD_BYTES = MAX_BODY_BYTES - sum(map(len, ENVELOPE))
"""Most bytes of a record that fits a request."""

_KEPT = ("id", "list_number", "message_id", "record_id")
"""Texts that the ledger keeps; PostgreSQL does not accept a NUL character in them."""

_WORST_ESCAPE = 6  # a control character becomes \u0001
_VERDICTS = "INSERT INTO verdicts (seq, outcome, reason) SELECT seq, 'quarantined', "


def validate(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    warehouse: Path,
    *,
    hold_synced: bool = True,
) -> None:
    """Fill the tables `verdicts`, `repeats`, `risky`, `synced` and `ordinals` of a stage.

    Args:
        connection: the stage, with its input loaded.
        dataset: the dataset of the stage.
        warehouse: lists and offers are looked up in it, if they have been pulled.
        hold_synced: whether revenue that its network syncs by itself is held back.
    """
    if is_empty(connection):
        return
    connection.execute(_VERDICTS + "problem FROM input WHERE problem IS NOT NULL")
    _check(connection, dataset)
    with _pulled_lists_or_offers(connection, dataset, warehouse) as pulled:
        by_itself = _by_itself(dataset, has_large=_has_large(connection, dataset))
        _quarantine(connection, {**by_itself, **(_LOOKED_UP[dataset.name] if pulled else {})})
        if dataset.name == "revenue":
            _note_revenue(connection, pulled=pulled, hold_synced=hold_synced)
    find(connection, dataset)


def _check(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Apply the declared checks: DuckDB finds the rows that break one, and pandera says which check it is."""
    names = ", ".join(dataset.columns)
    query = f"SELECT seq, {names} FROM input WHERE problem IS NULL AND ({breaks_a_check(dataset.fields)})"
    found = [_broken(dataset, batch) for batch in read(connection, query)]
    for rows in found:
        connection.register("broken", rows)
        connection.execute("INSERT INTO verdicts BY NAME FROM broken")
        connection.unregister("broken")


def _broken(dataset: Dataset, batch: pa.RecordBatch) -> pa.RecordBatch:
    from schemas.derived.pandera_checks import broken_rows  # noqa: PLC0415 - pandera takes long to load, most files need none

    broken = broken_rows(dataset, batch)
    places = pa.array(list(broken), pa.int64())
    return pa.record_batch(
        {
            "seq": batch.column("seq").take(places),
            "outcome": pa.array(["quarantined"] * len(broken), pa.string()),
            "reason": pa.array(list(broken.values()), pa.string()),
        }
    )


def _quarantine(connection: duckdb.DuckDBPyConnection, reasons: dict[str, str]) -> None:
    """Give each row without a verdict the first reason that holds.

    Args:
        connection: the connection of the stage.
        reasons: reasons by SQL condition.
    """
    cases = " ".join(f"WHEN {condition} THEN {literal(reason)}" for condition, reason in reasons.items())
    connection.execute(
        f"{_VERDICTS}reason FROM (SELECT seq, CASE {cases} END AS reason FROM ready) WHERE reason IS NOT NULL"
    )


def _by_itself(dataset: Dataset, *, has_large: bool) -> dict[str, str]:
    """Return reasons that need no lookup, by SQL condition; the one for large rows only if `has_large`."""
    texts = [name for name in _KEPT if name in dataset.columns]
    found = {
        " OR ".join(f"contains({name}, chr(0))" for name in texts): (
            f"{' or '.join(texts)}: holds a NUL character"
        ),
    }
    if has_large:
        size = f"CASE WHEN {_may_be_large(dataset)} THEN strlen({record(dataset.fields)}) ELSE 0 END"
        found[f"{size} > {MAX_RECORD_BYTES}"] = "is larger than a request may be"
    if dataset.name == "sends":
        found["list_number IS NULL AND list_id IS NULL"] = "list_number or list_id: one is needed"
    return found


def _has_large(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> bool:
    """Return whether a record may be too large; this check is faster than planning a query that encodes records."""
    large = f"SELECT 1 FROM input WHERE {_may_be_large(dataset)} LIMIT 1"
    return connection.execute(large).fetchone() is not None


def _may_be_large(dataset: Dataset) -> str:
    """Return an SQL condition: an upper bound of the record's bytes exceeds what a request takes."""
    texts = [field.name for field in dataset.fields if field.kind is Kind.TEXT]
    bound = " + ".join(f"coalesce(strlen({name}), 0)" for name in texts)
    return f"({bound} + 1000) * {_WORST_ESCAPE} > {MAX_RECORD_BYTES}"


_OF_LISTS = {
    "list_number NOT IN (SELECT phone_number FROM pulled WHERE phone_number IS NOT NULL)": (
        "list_number: the account has no such list (as of the last pull)"
    ),
    "list_id NOT IN (SELECT id FROM pulled)": "list_id: the account has no such list (as of the last pull)",
    "list_number IS NOT NULL AND list_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pulled"
    " WHERE pulled.id = list_id AND pulled.phone_number = list_number)": (
        "list_number, list_id: they are two different lists"
    ),
}

_UNKNOWN_OFFER = "offer_id NOT IN (SELECT id FROM pulled)"

_OF_OFFERS = {
    f"{_UNKNOWN_OFFER} AND lower(offer_id) IN (SELECT lower(id) FROM pulled)": (
        "offer_id: the account has this offer with other upper and lower case; write it as the account does"
    ),
    _UNKNOWN_OFFER: "offer_id: the account has no such offer (as of the last pull)",
}

_LOOKED_UP = {"sends": _OF_LISTS, "clicks": _OF_OFFERS, "revenue": _OF_OFFERS}
"""Reasons by dataset and condition; `pulled` has the account's lists or offers as of the last pull."""

_TYPES: dict[str, dict[str, pa.DataType]] = {
    "lists": {"id": pa.int64(), "phone_number": pa.string()},
    "offers": {"id": pa.string(), "status": pa.string(), "external_platform": pa.string()},
}
"""Columns that are looked up, by table of the warehouse."""


@contextmanager
def _pulled_lists_or_offers(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, warehouse: Path
) -> Iterator[bool]:
    """Register the lists or offers that rows refer to as `pulled`; yield whether there are any."""
    rows = _pulled(warehouse, "lists" if dataset.name == "sends" else "offers")
    if rows is None:
        yield False
        return
    connection.register("pulled", rows)
    yield True
    connection.unregister("pulled")


def _note_revenue(connection: duckdb.DuckDBPyConnection, *, pulled: bool, hold_synced: bool) -> None:
    """Fill `risky` and `synced`."""
    active = "offer_id IN (SELECT id FROM pulled WHERE status = 'active')" if pulled else "false"
    connection.execute(f"INSERT INTO risky SELECT seq FROM ready WHERE NOT coalesce({active}, false)")
    if pulled and hold_synced:
        note_synced(connection)


def unchecked(dataset: Dataset, warehouse: Path) -> tuple[str, ...]:
    """Return the fields that cannot be looked up, because the lists or offers were never pulled."""
    if dataset.name == "sends":
        return () if _pulled(warehouse, "lists") else ("list_number", "list_id")
    return () if _pulled(warehouse, "offers") else ("offer_id",)


def _pulled(warehouse: Path, table: str) -> pa.Table | None:
    """Return a small table of the warehouse; None if it was never pulled or has no rows."""
    found = for_pushes(warehouse)
    rows = found.lists if table == "lists" else found.offers
    if not rows:
        return None
    columns = zip(*rows, strict=True)
    types = _TYPES[table].values()
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(_TYPES[table]))
