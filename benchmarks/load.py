"""What it takes to load history files, by format, before anything is judged or sent: part of `make bench`.

One million sends in each format, every message another. Seconds are of processor and not of the clock, so that other
programs on the machine disturb them less. Each figure is the best of its runs, taken in turn.
"""

import sys
import tempfile
from pathlib import Path

import duckdb
from harness import keep, run

ROWS = 1_000_000
ROUNDS = 3

_SENDS = f"""
  SELECT 'old-' || lpad(i::VARCHAR, 9, '0') AS id, '+1' || (2000000000 + i % 500000)::VARCHAR AS to_number,
    TIMESTAMPTZ '2024-01-01 00:00:00Z' + to_seconds(i) AS timestamp, '+15550000001' AS list_number,
    'Hi ' || i || ', your order is on its way. Reply STOP to end.' AS message, 'campaign' AS send_type,
    true AS delivered
  FROM range({ROWS}) AS t(i)
"""
_TEXTS = (
    "SELECT * REPLACE (strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS timestamp) FROM sends"
)

FILES = {
    "Parquet": ("typed.parquet", "sends", "FORMAT parquet"),
    "CSV": (
        "plain.csv",
        f"SELECT * REPLACE (replace(message, ',', '') AS message) FROM ({_TEXTS})",
        "HEADER",
    ),
    "CSV, messages in quotes": ("messages.csv", _TEXTS, "HEADER"),
    "CSV, every cell in quotes": ("cells.csv", _TEXTS, "HEADER, FORCE_QUOTE *"),
    "NDJSON": ("lines.ndjson", _TEXTS, "FORMAT json"),
}
"""By what it is called: the file, its rows, and how DuckDB writes it."""


def main() -> None:
    """Measure, print, keep."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; CREATE TABLE sends AS {_SENDS}")
        for name, query, form in FILES.values():
            connection.execute(
                f"COPY ({'FROM ' * (query == 'sends')}{query}) TO '{Path(folder) / name}' ({form})"
            )
        for what, (name, *_) in FILES.items():
            runs = [run("load_product.py", sys.executable, str(Path(folder) / name)) for _ in range(ROUNDS)]
            seconds = min(seconds for seconds, _ in runs)
            peak = max(float(measured.output.splitlines()[-2]) for _, measured in runs)
            rows.append(f"| load, {ROWS:,} sends, {what} | {seconds:.1f} s of processor | {peak:.0f} MB |")
    keep("load", rows)


if __name__ == "__main__":
    main()
