"""Which rows are not to be sent, by themselves or by what the account had."""

import duckdb

from pipelines.push.checks.validate import _quarantine


def test_a_row_has_the_first_reason_that_holds() -> None:
    """Conditions may be unknown, and reasons may hold quotes; a row has one verdict at most."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE verdicts (seq BIGINT, outcome VARCHAR, reason VARCHAR)")
        connection.execute(
            "CREATE TABLE ready AS FROM (VALUES (1, 5, 'x'), (2, 5, NULL), (3, NULL, 'x'), (4, 1, 'y')) t (seq, n, s)"
        )
        _quarantine(
            connection, {"n = 5 AND s = 'x'": "both", "s = 'x' OR n > 4": "the row's", "n = 5": "late"}
        )
        found = connection.execute("SELECT seq, outcome, reason FROM verdicts ORDER BY seq").fetchall()
    assert found == [
        (1, "quarantined", "both"),
        (2, "quarantined", "the row's"),
        (3, "quarantined", "the row's"),
    ]
