"""How rows that were left out are summed up."""

import duckdb

from pipelines.warehouse.left_out import COLUMNS, LeftOut, Reason


def test_evidence_of_one_row_does_not_stand_for_others() -> None:
    """Rows in doubt with other figures have in common what is before them; one text of all is shown as it is."""
    rows = [
        ("in_doubt", "no_answer", f"not there yet: in doubt are 1 rows of {amount}") for amount in (5, 93.44)
    ]
    rows += [("in_doubt", "ambiguous", "may be: 1"), ("in_doubt", "ambiguous", "or not: 2")]
    rows += [("rejected", "list_not_found", f"No list {name}") for name in "ba"]
    rows += [("in_doubt", "contact_gone", "it left: 1")] * 2
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE r (outcome VARCHAR, code VARCHAR, reason VARCHAR)")
        connection.executemany("INSERT INTO r VALUES (?, ?, ?)", rows)
        others = ", ".join(
            f'NULL AS "{name}"' for name in COLUMNS if name not in ("outcome", "code", "reason")
        )
        found = LeftOut(
            connection,
            f"SELECT * REPLACE ('push' AS activity, 'revenue' AS dataset) FROM (SELECT *, {others} FROM r)",
        ).reasons(9)
    each = "each row has its own evidence: trackly-sync resolve"
    assert found == [
        Reason("push", "revenue", outcome, code, reason, 2)
        for outcome, code, reason in (
            ("in_doubt", "ambiguous", each),
            ("in_doubt", "contact_gone", "it left: 1"),
            ("in_doubt", "no_answer", f"not there yet; {each}"),
            ("rejected", "list_not_found", "No list a"),
        )
    ]
