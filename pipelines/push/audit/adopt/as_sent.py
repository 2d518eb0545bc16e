"""Finds in the archive what taken-over rows of revenue were sent with: their digests, contacts and lists.

Without the digests, a row like one of them would be sent in addition, instead of being held for a decision. What does
not belong here: their amounts (`amounts`), and taking rows over (`adopt`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.databases.duckdb_instances import attached
from pipelines.privacy import Privacy
from pipelines.push.audit.adopt.amounts import Row
from pipelines.push.audit.archive.rows import all_archived
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.values.content_digest import likeness
from pipelines.settings import Settings
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED

if TYPE_CHECKING:
    import duckdb

_ASKED = {
    "identity": "VARCHAR",
    "message_id": "VARCHAR",
    "offer_id": "VARCHAR",
    "revenue": "DECIMAL(18, 4)",
    "happened_at": "TIMESTAMPTZ",
}
_LIKE = "(a.{0} IS NOT DISTINCT FROM q.{0}) DESC"
_SENT = {"content": "BIGINT", "offer_id": "VARCHAR", "revenue": "DECIMAL(18, 4)"}
_SENDS = {"phone_number": "VARCHAR", "list_number": "VARCHAR", "list_id": "BIGINT"}


def with_digests(settings: Settings, rows: Sequence[Row]) -> list[Row]:
    """Return rows of revenue with content, likeness, contact and list_ref, as the ledger keeps them; None if unknown.

    Args:
        settings: the place of the archive, and whether phone numbers are hashed.
        rows: rows with identity, message_id, offer_id, revenue and happened_at.

    Raises:
        StorageError: the archive cannot be read.
    """
    if not rows:
        return []
    with attached(None, "as_sent") as connection:
        Privacy.of(settings).define(connection)
        connection.execute(
            f"CREATE TABLE asked ({', '.join(f'{name} {kind}' for name, kind in _ASKED.items())})"
        )
        insert(
            connection, "asked", pa.table({name: pa.array([row[name] for row in rows]) for name in _ASKED})
        )
        _load(connection, settings, REVENUE, _SENT)
        _load(connection, settings, "sends", _SENDS)
        found = connection.execute(
            f"SELECT identity, content, {likeness(PUSHED[REVENUE])}, contact, list_ref FROM ("
            "SELECT a.identity, a.message_id, r.content, coalesce(r.offer_id, a.offer_id) AS offer_id,"
            " coalesce(a.revenue, r.revenue) AS revenue,"
            " CASE WHEN s.phone_number LIKE '+%' THEN kept_phone(s.phone_number) ELSE s.phone_number END AS contact,"
            " s.list_ref FROM asked AS a"
            " LEFT JOIN of_revenue AS r ON r.identity = a.identity AND (a.revenue IS NULL OR a.revenue = r.revenue)"
            " LEFT JOIN (SELECT *, coalesce(list_number, CAST(list_id AS VARCHAR)) AS list_ref FROM of_sends) AS s"
            " ON s.identity = a.message_id)"
            " WHERE message_id IS NOT NULL AND offer_id IS NOT NULL AND revenue IS NOT NULL"
        ).fetchall()
    names = ("content", "likeness", "contact", "list_ref")
    known = {identity: dict(zip(names, values, strict=True)) for identity, *values in found}
    return [{**row, **known.get(row["identity"], dict.fromkeys(names))} for row in rows]


def _load(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, name: str, columns: dict[str, Any]
) -> None:
    """Make the table `of_<dataset>` with the archived rows that `asked` needs.

    A row that was archived several times was corrected. The archived version that is most like the known values
    counts; if several are, the newest does.
    """
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE of_{name} (identity VARCHAR, {declared})")
    key, told_by = (
        ("identity", ("revenue", "happened_at", "offer_id")) if name == REVENUE else ("message_id", ())
    )
    order = ", ".join([*map(_LIKE.format, told_by), "a.file DESC", "a.content"])
    with all_archived(settings, name) as archived:
        if archived:
            connection.execute(
                f"INSERT INTO of_{name} SELECT a.identity, {', '.join(f'a.{column}' for column in columns)}"
                f" FROM {archived} AS a JOIN asked AS q ON q.{key} = a.identity"
                f" QUALIFY row_number() OVER (PARTITION BY a.identity ORDER BY {order}) = 1"
            )
