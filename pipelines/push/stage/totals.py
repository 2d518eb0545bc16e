"""A reading of the contacts' totals inside a stage, where it can be joined with rows of revenue.

What does not belong here: reading them (`pipelines.pull.derived.contact_totals`), and what their growth means
(`revenue.settle`).
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from pipelines.pull.derived.contact_totals import ContactTotals
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.warehouse.structure.tables import insert
from schemas.derived.tables import literal


class TotalsInStage:
    """A reading of the contacts' totals in temporary tables of a stage; `load` describes the tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._list_keys: dict[str, str] = dict(connection.execute("FROM list_keys").fetchall())

    @classmethod
    def load(cls, connection: duckdb.DuckDBPyConnection, reading: ContactTotals | None) -> "TotalsInStage":
        """Create the temporary tables of a reading; they are empty without one.

        totals    contact, list_key, amount, count, clicks, signed_up, and phone_amount, phone_count over all lists
        list_keys ref, list_key: the id or number by which sends name a list, and the least id of the lists it names
        """
        _load(connection, reading)
        return cls(connection)

    def list_key(self, ref: str | None) -> str | None:
        """Return one key for a list, whether sends name it by its id or its number.

        A list that the reading does not have keeps the name that it has.

        Args:
            ref: the id or number that the ledger has.
        """
        return self._list_keys.get(ref, ref) if ref else ref

    def look_up(
        self, contacts: Iterable[tuple[str | None, str | None]]
    ) -> dict[tuple[str | None, str | None], Found]:
        """Return the totals of pairs of phone number and list."""
        return _look_up(self._connection, contacts)


def _load(connection: duckdb.DuckDBPyConnection, reading: ContactTotals | None) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE list_keys (ref VARCHAR, list_key VARCHAR);"
        "CREATE OR REPLACE TEMP TABLE totals (contact VARCHAR, list_key VARCHAR, amount BIGINT, count BIGINT,"
        " clicks BIGINT, signed_up TIMESTAMPTZ, phone_amount BIGINT, phone_count BIGINT)"
    )
    if reading is None:
        return
    parquet = f"read_parquet({literal(str(reading.file))})"
    connection.execute(
        "INSERT INTO list_keys WITH lists AS (SELECT DISTINCT list_id, list_number FROM " + parquet + "),"
        " keys AS (SELECT list_number AS ref, CAST(min(list_id) AS VARCHAR) AS list_key FROM lists"
        "  WHERE list_number IS NOT NULL GROUP BY list_number)"
        " FROM keys UNION ALL SELECT CAST(list_id AS VARCHAR), min(coalesce(list_key, CAST(list_id AS VARCHAR)))"
        " FROM lists LEFT JOIN keys ON ref = list_number GROUP BY list_id"
    )
    connection.execute(
        "INSERT INTO totals SELECT phone_number, list_key, sum(revenue_total)::BIGINT,"
        " sum(conversion_count)::BIGINT, sum(click_count)::BIGINT, max(TRY_CAST(signup_date AS TIMESTAMPTZ)),"
        " (sum(sum(revenue_total)) OVER of_phone)::BIGINT, (sum(sum(conversion_count)) OVER of_phone)::BIGINT"
        f" FROM {parquet} JOIN list_keys ON ref = CAST(list_id AS VARCHAR)"
        " GROUP BY phone_number, list_key WINDOW of_phone AS (PARTITION BY phone_number)"
    )


def _look_up(
    connection: duckdb.DuckDBPyConnection, contacts: Iterable[tuple[str | None, str | None]]
) -> dict[tuple[str | None, str | None], Found]:
    asked = list(dict.fromkeys(contacts))
    connection.execute("CREATE OR REPLACE TEMP TABLE asked_contacts (contact VARCHAR, ref VARCHAR)")
    insert(
        connection,
        "asked_contacts",
        pa.table(
            [pa.array([c for c, _ in asked], pa.string()), pa.array([r for _, r in asked], pa.string())],
            names=["contact", "ref"],
        ),
    )
    rows = connection.execute(
        "WITH phones AS (SELECT contact, phone_amount, phone_count, max(signed_up) AS signed_up FROM totals"
        " GROUP BY ALL)"
        " SELECT asked.contact, asked.ref, t.amount, t.count, p.phone_amount, p.phone_count,"
        f" {_iso('t.signed_up')}, {_iso('p.signed_up')} FROM asked_contacts AS asked"
        " LEFT JOIN list_keys AS k ON k.ref = asked.ref"
        " LEFT JOIN totals AS t ON t.contact = asked.contact AND t.list_key = coalesce(k.list_key, asked.ref)"
        " LEFT JOIN phones AS p ON p.contact = asked.contact"
    ).fetchall()
    return {
        (contact, ref): Found(
            None if count is None else Totals(amount, count),
            None if phone_count is None else Totals(phone_amount, phone_count),
            since,
            phone_since,
        )
        for contact, ref, amount, count, phone_amount, phone_count, since, phone_since in rows
    }


def _iso(instant: str) -> str:
    """Return SQL for an instant in the form in which the ledger writes times."""
    return f"strftime({instant} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')"
