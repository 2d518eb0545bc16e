"""Which rows are not to be sent, by themselves or by what the account had."""

import json
from pathlib import Path

import duckdb

from pipelines.push.checks.validate import MAX_RECORD_BYTES, _quarantine, validate
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building
from schemas.registry import PUSHED


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


def test_a_record_that_fits_no_request_is_held_back(tmp_path: Path) -> None:
    """Its size is that of the record as it is sent, where a control character takes six bytes."""
    texts = ["short", "x" * (MAX_RECORD_BYTES // 2), "\x01" * (MAX_RECORD_BYTES // 6), "y" * MAX_RECORD_BYTES]
    path, warehouse = tmp_path / "sends.ndjson", tmp_path / "none"
    row = {
        "to_number": "+12000000000",
        "timestamp": "2024-05-01T10:00:00Z",
        "list_id": 100,
        "send_type": "campaign",
    }
    for rows in (texts[:1], texts):
        path.write_text(
            "".join(json.dumps({"id": str(n), **row, "message": m}) + "\n" for n, m in enumerate(rows))
        )
        source = Source(path, "sends", "ndjson", "")
        with building(tmp_path / "stage.duckdb", PUSHED["sends"], [source], warehouse) as connection:
            validate(connection, PUSHED["sends"], warehouse)
            found = connection.execute("SELECT seq, reason FROM verdicts ORDER BY seq").fetchall()
        too_large = "is larger than a request may be"
        assert found == ([] if len(rows) == 1 else [(3, too_large), (4, too_large)])
