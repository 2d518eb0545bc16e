"""Sizes of audiences over time, as pulls saw them."""

import datetime as dt
from pathlib import Path
from typing import Any

from made_snapshots import publish_rows
from oracle import reading

from pipelines.settings import load_settings

DAY = dt.timedelta(days=1)
FIRST = dt.datetime(2026, 11, 1, 6, tzinfo=dt.UTC)


def test_sizes_over_time_are_those_that_pulls_saw(tmp_path: Path) -> None:
    """A row a count, and none for other changes; null while a changed filter waits; then the change since."""
    settings = load_settings(data_dir=tmp_path)
    looks: list[tuple[str, int | None, int | None]] = [  # name, size, days since FIRST when it was counted
        ("VIP", 100, 0), ("VIPs", 100, 0), ("VIPs", 100, 1), ("VIPs", None, None), ("VIPs", 80, 4),
    ]  # fmt: skip
    for number, (name, size, counted) in enumerate(looks):
        at = None if counted is None else FIRST + counted * DAY - dt.timedelta(hours=1)
        row: dict[str, Any] = {"id": "a", "name": name, "cached_size": size, "cached_size_updated_at": at}
        other = {"id": "b", "name": "Static", "cached_size": None}
        publish_rows(settings, "audiences", [row, other], FIRST + number * DAY)
    query = "SELECT audience_id, size, change, seen_at, audience_name FROM marts.audience_sizes ORDER BY ALL"
    with reading(settings.warehouse) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(query + " NULLS FIRST").fetchall()
    seen = [
        (row[1], row[2], (row[3] - FIRST) // DAY, row[4]) for row in sorted(found, key=lambda row: row[3])
    ]
    assert [row for row in seen if row[3] != "Static"] == [
        (100, None, 0, "VIP"), (100, 0, 2, "VIPs"), (None, None, 3, "VIPs"), (80, -20, 4, "VIPs"),
    ]  # fmt: skip
    assert [row for row in seen if row[3] == "Static"] == [(None, None, 0, "Static")]
