"""Keeps a decision that a row and another are one sale, even if the row's send or its own values change later.

For rows that are held, `same_rows` applies the decision. But a row is parked before that if its send is pending again
or differs, and a row that was changed may no longer equal any other; either would be sent as a new row. Such a row is
a duplicate as long as the other sale is there: in the ledger, if the decision names that sale, or in the input. An
earlier version noted no names; then the other sale is one of the same message or contact, or one with the row's
amount among those that were decided about. What does not belong here: rows without a decision.
"""

import duckdb

from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.checks.revenue.replaced import GONE
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import count
from pipelines.push.values.content_digest import likeness
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED
from schemas.values.money import sql_units
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

ONCE = "decided by --same-rows-once: it is a row that is there already"
"""Why such a row is a duplicate."""

WITH = "with:"
"""Prefix of the key of a decision that a row is a sale that was sent; a JSON pair of both follows."""

_NUMBER = "coalesce(ordinal, 1)"
_IDENTITY = "CASE WHEN ordinal IS NULL THEN base ELSE base || ':' || ordinal END"
_WAITS = (
    f"outcome = '{Outcome.PARKED}' AND code IS NULL"  # for its send; a row held for a decision has a code
)


def with_sale(base: str, identity: str) -> str:
    """Return SQL for the key of a decision that a row is a sale that was sent.

    Args:
        base: SQL for the identity of the row, without an occurrence number.
        identity: SQL for the identity of the sale.
    """
    return f"'{WITH}' || to_json([{base}, {identity}])"


def keep_decided(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None) -> None:
    """Make duplicates of rows that were decided to be one sale with a row that is still there.

    Args:
        connection: the connection of the stage, with the tables `known`, `decided` and `parents`.
        ledger: None if there is no ledger yet.
    """
    if ledger is None or not count(connection, "SELECT count(*) FROM decided WHERE times < rows"):
        return
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE decided_once AS SELECT ready.*, times FROM ("
        f"SELECT input.*, {_NUMBER} AS number, {_IDENTITY} AS identity FROM input LEFT JOIN ordinals USING (seq)"
        f" WHERE seq NOT IN (SELECT seq FROM verdicts WHERE NOT ({_WAITS}))) AS ready JOIN decided USING (base)"
        f" WHERE number > times AND number <= rows AND {IS_NEW}"
    )
    if not count(connection, "SELECT count(*) FROM decided_once"):
        return
    _load_sent(connection, ledger)
    alike = likeness(PUSHED[REVENUE])
    connection.execute(
        "DELETE FROM decided_once WHERE times = 0 AND message_id NOT IN (SELECT message_id FROM sent_sales)"
        " AND message_id NOT IN (SELECT identity FROM parents WHERE contact IN (SELECT contact FROM sent_sales))"
        f" AND base NOT IN (SELECT (pair->>0) FROM (SELECT substr(base, {len(WITH) + 1})::JSON AS pair FROM decided"
        f" WHERE starts_with(base, '{WITH}')) WHERE (pair->>1) IN (SELECT identity FROM sent_sales))"
        f" AND {sql_units('revenue')} NOT IN (SELECT amount FROM sent_sales"
        f" WHERE '{GONE}' || identity IN (SELECT base FROM decided))"
        f" AND {alike} NOT IN (SELECT {alike} FROM input WHERE seq NOT IN (SELECT seq FROM decided_once)"
        f" AND seq NOT IN (SELECT seq FROM verdicts WHERE NOT ({_WAITS})));"
        "DELETE FROM verdicts WHERE seq IN (SELECT seq FROM decided_once)"
    )
    connection.execute(
        f"INSERT INTO verdicts SELECT seq, '{Outcome.DUPLICATE}', ?, NULL, NULL, true FROM decided_once",
        [ONCE],
    )


def _load_sent(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Make the temporary table `sent_sales`: revenue that is in the account, or may be."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sent_rows"
        " (outcome VARCHAR, message_id VARCHAR, contact VARCHAR, identity VARCHAR, amount BIGINT)"
    )
    for rows in ledger_rows(
        ledger, REVENUE, ("outcome", "message_id", "contact", "identity", "amount"), every_part=True
    ):
        insert(connection, "sent_rows", rows)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sent_sales AS SELECT coalesce(message_id, '') AS message_id,"
        " coalesce(contact, '') AS contact, identity, coalesce(amount, -1) AS amount FROM sent_rows"
        f" WHERE outcome IN {sql_list(MAYBE_IN_ACCOUNT)}; DROP TABLE sent_rows"
    )
