"""Which rows of a staged input are not to be sent, and why: the verdicts `quarantined` and `duplicate`.

Reasons name columns and rules, never values. What does not belong here: `parked`, which depends on the ledger
(`compare`), and types (`values.formats`, when the stage is loaded).
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.push.checks.conflicts import find
from pipelines.push.stage.database import read
from pipelines.push.values.api_records import record
from pipelines.trackly.imports import MAX_BODY_BYTES
from pipelines.warehouse.swap import reading
from schemas.columns import Dataset, Kind
from schemas.derived.tables import breaks_a_check

ENVELOPE = (b'{"records":[', b"]}")
"""What a request's body has round its records (/api-reference/v2/history/import-sends)."""

MAX_RECORD_BYTES = MAX_BODY_BYTES - sum(map(len, ENVELOPE))
"""A record larger than this fits no request."""

SYNCED_BY = "tune"
"""The network whose offers' revenue Trackly fetches every hour (/api-reference/v2/history/import-revenue)."""

_KEPT = ("id", "list_number", "message_id", "record_id")
"""Texts that the ledger keeps; PostgreSQL has none with a NUL character."""

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
        connection: the stage, its input loaded.
        dataset: what it holds.
        warehouse: lists and offers are looked up in it, where they have been pulled.
        hold_synced: whether revenue that its network syncs by itself is to be held back.
    """
    connection.execute(_VERDICTS + "problem FROM input WHERE problem IS NOT NULL")
    _check(connection, dataset)
    texts = [name for name in _KEPT if name in dataset.columns]
    _quarantine(
        connection,
        " OR ".join(f"contains({name}, chr(0))" for name in texts),
        f"{' or '.join(texts)}: holds a NUL character",
    )
    _quarantine(connection, f"{_too_large(dataset)} > {MAX_RECORD_BYTES}", "is larger than a request may be")
    if dataset.name == "sends":
        _quarantine(
            connection, "list_number IS NULL AND list_id IS NULL", "list_number or list_id: one is needed"
        )
    _look_up(connection, dataset, warehouse, hold_synced=hold_synced)
    find(connection, dataset)


def _check(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """The declared checks: DuckDB finds the rows that break one, and pandera says which."""
    names = ", ".join(dataset.columns)
    query = f"SELECT seq, {names} FROM input WHERE problem IS NULL AND ({breaks_a_check(dataset.fields)})"
    found = list(filter(None, (_broken(dataset, batch) for batch in read(connection, query))))
    for rows in found:
        connection.register("broken", rows)
        connection.execute("INSERT INTO verdicts BY NAME FROM broken")
        connection.unregister("broken")


def _broken(dataset: Dataset, batch: pa.RecordBatch) -> pa.RecordBatch | None:
    from schemas.derived.pandera_checks import broken_rows  # noqa: PLC0415 - pandera takes long to load, most files need none

    broken = broken_rows(dataset, batch)
    if not broken:
        return None
    places = pa.array(list(broken), pa.int64())
    return pa.record_batch(
        {
            "seq": batch.column("seq").take(places),
            "outcome": pa.array(["quarantined"] * len(broken)),
            "reason": pa.array(list(broken.values())),
        }
    )


def _quarantine(connection: duckdb.DuckDBPyConnection, condition: str, reason: str) -> None:
    connection.execute(f"{_VERDICTS}? FROM ready WHERE {condition}", [reason])


def _too_large(dataset: Dataset) -> str:
    """The size of a row's record in bytes; 0 where a bound shows that it is small, which spares encoding it."""
    texts = [field.name for field in dataset.fields if field.kind is Kind.TEXT]
    bound = " + ".join(f"coalesce(strlen({name}), 0)" for name in texts)
    size = f"strlen({record(dataset.fields)})"
    return f"CASE WHEN ({bound} + 1000) * {_WORST_ESCAPE} > {MAX_RECORD_BYTES} THEN {size} ELSE 0 END"


def _look_up(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, warehouse: Path, *, hold_synced: bool
) -> None:
    """Lists and offers that the account does not have, as of the last pull; nothing if there was none."""
    if dataset.name == "sends":
        lists = _pulled(warehouse, "lists", "id, phone_number")
        if lists is not None:
            connection.register("lists", lists)
            unknown = "list_number NOT IN (SELECT phone_number FROM lists WHERE phone_number IS NOT NULL)"
            _quarantine(
                connection, unknown, "list_number: the account has no such list (as of the last pull)"
            )
            unknown = "list_id NOT IN (SELECT id FROM lists)"
            _quarantine(connection, unknown, "list_id: the account has no such list (as of the last pull)")
            _quarantine(
                connection,
                "list_number IS NOT NULL AND list_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lists"
                " WHERE lists.id = list_id AND lists.phone_number = list_number)",
                "list_number, list_id: they are two different lists",
            )
            connection.unregister("lists")
        return
    offers = _pulled(warehouse, "offers", "id, status, external_platform")
    if offers is not None:
        connection.register("offers", offers)
        _quarantine_unknown_offers(connection)
    if dataset.name == "revenue":
        active = (
            "offer_id IN (SELECT id FROM offers WHERE status = 'active')" if offers is not None else "false"
        )
        connection.execute(f"INSERT INTO risky SELECT seq FROM ready WHERE NOT coalesce({active}, false)")
        if offers is not None and hold_synced:
            connection.execute(
                "INSERT INTO synced SELECT seq FROM ready"
                f" WHERE offer_id IN (SELECT id FROM offers WHERE external_platform = '{SYNCED_BY}')"
            )
    if offers is not None:
        connection.unregister("offers")


def _quarantine_unknown_offers(connection: duckdb.DuckDBPyConnection) -> None:
    """Offers that the account does not have; one that differs in the case of letters only has its own reason."""
    unknown = "offer_id NOT IN (SELECT id FROM offers)"
    in_other_case = "lower(offer_id) IN (SELECT lower(id) FROM offers)"
    there = "offer_id: the account has this offer in other case of letters only: write it as there"
    none = "offer_id: the account has no such offer (as of the last pull)"
    _quarantine(connection, f"{unknown} AND {in_other_case}", there)
    _quarantine(connection, f"{unknown} AND NOT {in_other_case}", none)


def unchecked(dataset: Dataset, warehouse: Path) -> tuple[str, ...]:
    """The fields that cannot be looked up, since what they refer to was never pulled."""
    if dataset.name == "sends":
        return () if _pulled(warehouse, "lists", "id") else ("list_number", "list_id")
    return () if _pulled(warehouse, "offers", "id") else ("offer_id",)


def _pulled(warehouse: Path, table: str, columns: str) -> pa.Table | None:
    """A small table of the warehouse; None if it was never pulled (or holds nothing)."""
    if not warehouse.exists():
        return None
    with reading(warehouse) as connection:
        known = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = ?"
        if not connection.execute(known, [table]).fetchall():
            return None
        rows = connection.sql(f"SELECT {columns} FROM main.{table}").to_arrow_table()
    return rows if rows.num_rows else None
