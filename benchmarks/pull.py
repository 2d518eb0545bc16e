"""How fast and how flat a pull is, beside a floor and a peer measured in the same run: `make bench`.

Prints a table and keeps it in benchmarks/RESULTS.md. The floor fetches every page and decodes it into typed
structs; the peer is dlt, in an environment of its own (see `dlt_pull`). Each figure is the best of its runs,
taken in turn, so that a slow moment of the machine does not favour one of them.
"""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from measure import Measured, measure

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
PEER_PYTHON = HERE / ".dlt" / "bin" / "python"
ROWS = 1_000_000
PEER_ROWS = 100_000
LARGE_ROWS = (5_000_000, 10_000_000)
ROUNDS = 3


@contextmanager
def account(rows: int) -> Iterator[str]:
    """A server of made-up contacts; yields its base URL."""
    command = [sys.executable, str(HERE / "account.py"), str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def run(script: str, python: str, *arguments: str) -> tuple[float, Measured]:
    """Run one of the scripts beside this one; returns the seconds that it prints, and what it took in all."""
    measured = measure([python, str(HERE / script), *arguments], HERE.parent)
    return float(measured.output.splitlines()[-1]), measured


def product(url: str) -> tuple[float, Measured]:
    """One pull into a new data directory."""
    with tempfile.TemporaryDirectory() as folder:
        return run("product.py", sys.executable, url, folder)


def peer() -> float:
    """Rows per second of dlt."""
    if not PEER_PYTHON.exists():
        print("Installing dlt into an environment of its own ...")
        subprocess.run([sys.executable, "-m", "venv", str(PEER_PYTHON.parents[1])], check=True)
        pip = [str(PEER_PYTHON), "-m", "pip", "install", "-qq", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "-r", str(HERE / "requirements-dlt.lock")], check=True)
    with account(PEER_ROWS) as url, tempfile.TemporaryDirectory() as folder:
        seconds, _ = run("dlt_pull.py", str(PEER_PYTHON), url, folder)
    return PEER_ROWS / seconds


def standard() -> list[str]:
    """One million contacts, the floor, and dlt; the rows of the table."""
    rounds = []
    with account(ROWS) as url:
        for _ in range(ROUNDS):
            floor, _ = run("floor.py", sys.executable, url, str(ROWS))
            rounds.append((floor, *product(url)))
    floor = min(seconds for seconds, _, _ in rounds)
    best = min(seconds for _, seconds, _ in rounds)
    memory = max(measured.peak_mb for _, _, measured in rounds)
    ratios = sorted(seconds / of_round for of_round, seconds, _ in rounds)
    dlt = peer()
    return [
        f"| floor, {ROWS:,} rows | {floor:.1f} s | |",
        f"| pull, {ROWS:,} rows | {best:.1f} s | {ROWS / best:,.0f} rows/s |",
        f"| pull / floor, {ROUNDS} rounds | {' '.join(f'{ratio:.2f}' for ratio in ratios)} | at most 4, aim 2.5 |",
        f"| dlt 1.31, {PEER_ROWS:,} rows | | {dlt:,.0f} rows/s |",
        f"| pull / dlt, rows per second | {ROWS / best / dlt:.0f} | at least 15 |",
        f"| memory of all processes, {ROWS:,} rows | {memory:.0f} MB | under 600 |",
    ]


def large() -> list[str]:
    """Five and ten million contacts: whether memory stays flat; the rows of the table."""
    rows = []
    for count in LARGE_ROWS:
        with account(count) as url:
            floor, _ = run("floor.py", sys.executable, url, str(count))
            seconds, measured = product(url)
        rows.append(
            f"| pull, {count:,} rows | {seconds:.1f} s, {seconds / floor:.2f} x floor | {measured.peak_mb:.0f} MB |"
        )
    return rows


def main() -> None:
    """Measure, print, keep."""
    which, rows = ("large", large()) if "--large" in sys.argv else ("standard", standard())
    table = "\n".join(["| what | measured | |", "|---|---|---|", *rows])
    print(table)
    sections = _sections()
    sections[which] = f"{_machine()}\n\n{table}"
    parts = [f"## {name}\n\n{text}" for name, text in sorted(sections.items(), reverse=True)]
    RESULTS.write_text("\n\n".join(["# Results of the last runs", *parts]) + "\n", encoding="utf-8")


def _sections() -> dict[str, str]:
    """The parts of RESULTS.md as they are now, by name."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text(encoding="utf-8").split("\n## ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def _machine() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("duckdb", "msgspec", "pandera", "pyarrow", "httpx")
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {pages * size / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}."
    )


if __name__ == "__main__":
    main()
