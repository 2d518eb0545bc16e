"""How fast and how flat a push is, beside a floor measured in the same run: part of `make bench`.

One million sends in one Parquet file, against a server that does nothing but answer. The floor encodes and posts the
same chunks with the same concurrency. An export stands in the order of its ids as a rule; a push of the same rows in
no order, which sorts them, is measured too. Each figure is the best of its runs, taken in turn. With `--large`, part
of `make bench-large`, it is ten million sends, once: whether memory stays flat.
"""

import sys
import tempfile
from operator import truediv
from pathlib import Path

import duckdb
from harness import account, keep, run

ROWS = 1_000_000
LARGE_ROWS = 10_000_000
ROUNDS = 3

_SENDS = """
COPY (
  SELECT 'old-' || lpad(i::VARCHAR, 9, '0') AS id, '+1' || (2000000000 + i % 500000)::VARCHAR AS to_number,
    strftime(TIMESTAMP '2024-01-01' + to_seconds(i), '%Y-%m-%dT%H:%M:%SZ') AS timestamp,
    '+1555000' || lpad((i % 4)::VARCHAR, 4, '0') AS list_number,
    'Hi ' || (i % 1000)::VARCHAR || ', your order is on its way. Reply STOP to end.' AS message,
    'campaign' AS send_type, true AS delivered
  FROM range({rows}) AS t(i)
) TO '{file}' (FORMAT parquet)
"""

_SHUFFLED = "COPY (FROM '{file}' ORDER BY hash(id)) TO '{shuffled}' (FORMAT parquet)"


def standard() -> list[str]:
    """One million sends and the floors; the rows of the table."""
    floors: dict[str, list[float]] = {"json": [], "msgspec": []}
    pushes: list[float] = []
    sorting: list[float] = []
    ledgers: list[float] = []
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as folder, account(0) as url:
        file, shuffled = _files(Path(folder), ROWS)
        for number in range(ROUNDS):
            for encoder, seconds in floors.items():
                seconds.append(run("push_floor.py", sys.executable, url, str(file), encoder)[0])
            data = str(Path(folder) / f"data{number}")
            took, measured = run("push_product.py", sys.executable, url, data, str(file))
            pushes.append(took)
            ledgers.append(float(measured.output.splitlines()[-2]))
            peaks.append(measured.peak_mb)
            took, measured = run("push_product.py", sys.executable, url, f"{data}-shuffled", str(shuffled))
            sorting.append(took)
            peaks.append(measured.peak_mb)
    rows = []
    for encoder, seconds in floors.items():
        aim = "at most 3" if encoder == "json" else ""
        rows.append(f"| floor that encodes with {encoder}, {ROWS:,} sends | {min(seconds):.1f} s | |")
        rows.append(f"| push / that floor, {ROUNDS} rounds | {_ratios(pushes, seconds)} | {aim} |")
        rows.append(f"| push of rows in no order / that floor | {_ratios(sorting, seconds)} | {aim} |")
    return [
        f"| push, {ROWS:,} sends | {min(pushes):.1f} s | {ROWS / min(pushes):,.0f} rows/s |",
        *rows,
        f"| of the push the ledger | {min(ledgers):.1f} s | {min(ledgers) / ROWS * 1e6:.1f} µs a row |",
        f"| memory of all processes | {max(peaks):.0f} MB | under 500 |",
    ]


def large() -> list[str]:
    """Ten million sends, in order and in none; the rows of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, account(0) as url:
        file, shuffled = _files(Path(folder), LARGE_ROWS)
        for what, of in (("sends", file), ("sends in no order", shuffled)):
            data = str(Path(folder) / what)
            seconds, measured = run("push_product.py", sys.executable, url, data, str(of))
            rows.append(f"| push, {LARGE_ROWS:,} {what} | {seconds:.1f} s | {measured.peak_mb:.0f} MB |")
    return rows


def main() -> None:
    """Measure, print, keep."""
    if "--large" in sys.argv:
        keep("push, large", large())
    else:
        keep("push", standard())


def _files(folder: Path, rows: int) -> tuple[Path, Path]:
    """The sends in the order of their ids, and in none; each in a folder of its own."""
    file, shuffled = folder / "sends.parquet", folder / "shuffled" / "sends.parquet"
    shuffled.parent.mkdir()
    duckdb.sql(_SENDS.format(rows=rows, file=file))
    duckdb.sql(_SHUFFLED.format(file=file, shuffled=shuffled))
    return file, shuffled


def _ratios(times: list[float], floors: list[float]) -> str:
    return " ".join(f"{ratio:.2f}" for ratio in sorted(map(truediv, times, floors)))


if __name__ == "__main__":
    main()
