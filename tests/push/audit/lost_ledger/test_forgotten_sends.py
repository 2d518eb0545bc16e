"""What a lost ledger had of sends and clicks, carried into the records of the ledger that came after it."""

from typing import Any

import duckdb

from pipelines.privacy import KEEP_ALL
from pipelines.push.audit.lost_ledger.forgotten_sends import restore_forgotten
from pipelines.warehouse.structure.tables import complete


def test_records_are_added_where_the_ledger_has_no_row_and_noted_where_it_has_no_call() -> None:
    """A click is known by the id of its send, and is a row of its own beside it. What has a call has its outcome."""
    before = [("sends", "a"), ("sends", "b"), ("sends", "c"), ("clicks", "a"), ("clicks", "d")]
    since: list[tuple[Any, ...]] = [
        ("sends", "a", "pending", None, 0),
        ("sends", "b", "pending", 7, 1),
        ("sends", "c", "accepted", 8, 1),
    ]
    with duckdb.connect() as connection:
        complete(connection)
        KEEP_ALL.define(connection)
        add = (
            "INSERT INTO {} BY NAME SELECT $1 AS dataset, $2 AS identity, $2 AS message_id, $3 AS outcome,"
            " $4 AS chunk, $5 AS attempt, true AS in_input, false AS differs, false AS differs_acknowledged"
        )
        connection.execute("CREATE TEMP TABLE forgotten AS FROM imports.records LIMIT 0")
        for of, identity in before:
            connection.execute(add.format("forgotten"), [of, identity, "accepted", 1, 3])
        for row in since:
            connection.execute(add.format("imports.records"), list(row))
        restore_forgotten(connection, KEEP_ALL)
        found = connection.execute(
            "SELECT dataset, identity, outcome, chunk, attempt, code, in_input FROM imports.records ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("clicks", "a", "accepted", None, 3, None, False),
        ("clicks", "d", "accepted", None, 3, None, False),
        ("sends", "a", "pending", None, 3, "sent_before", True),
        ("sends", "b", "pending", 7, 1, None, True),
        ("sends", "c", "accepted", 8, 1, None, True),
    ]
