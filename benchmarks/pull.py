"""How fast and how flat a pull is, beside a floor and a peer measured in the same run: `make bench`.

Prints a table and keeps it in benchmarks/RESULTS.md. The floor fetches every page and decodes it into typed
structs; the peer is dlt, in an environment of its own (see `dlt_pull`). Each figure is the best of its runs,
taken in turn, so that a slow moment of the machine does not favour one of them.
"""

import subprocess
import sys
import tempfile

from harness import HERE, account, keep, run
from measure import Measured

PEER_PYTHON = HERE / ".dlt" / "bin" / "python"
ROWS = 1_000_000
PEER_ROWS = 100_000
LARGE_ROWS = (5_000_000, 10_000_000)
SHAPE_ROWS = 500_000
LATENCY_ROWS = 100_000
ROUNDS = 3


def product(url: str, concurrency: int = 4) -> tuple[float, Measured]:
    """One pull into a new data directory."""
    with tempfile.TemporaryDirectory() as folder:
        return run("pull_product.py", sys.executable, url, folder, str(concurrency))


def shapes() -> list[str]:
    """What pages with unknown fields and with bad rows cost, all of them being such; the rows of the table."""
    took = {}
    for shape in ("clean", "unknown", "bad"):
        with account(SHAPE_ROWS, shape) as url:
            took[shape] = min(product(url)[0] for _ in range(2))
    words = {"unknown": "two unknown fields in every row", "bad": "1% bad rows in every page"}
    return [
        f"| pull, {SHAPE_ROWS:,} rows, {words[shape]} | {seconds:.1f} s, {seconds / took['clean']:.2f} x clean "
        "| at most 3 |"
        for shape, seconds in took.items()
        if shape in words
    ]


def latency() -> list[str]:
    """What concurrency gives where each reply takes 100 ms; the rows of the table."""
    with account(LATENCY_ROWS, "clean", 0.1) as url:
        at_once = {number: product(url, number)[0] for number in (1, 4, 16)}
    shown = ", ".join(f"{seconds:.1f} s at {number}" for number, seconds in at_once.items())
    return [f"| pull, {LATENCY_ROWS:,} rows, 100 ms a reply, requests at once | {shown} | |"]


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
            floor, _ = run("pull_floor.py", sys.executable, url, str(ROWS))
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
        *shapes(),
        *latency(),
    ]


def large() -> list[str]:
    """Five and ten million contacts: whether memory stays flat; the rows of the table."""
    rows = []
    for count in LARGE_ROWS:
        with account(count) as url:
            floor, _ = run("pull_floor.py", sys.executable, url, str(count))
            seconds, measured = product(url)
        rows.append(
            f"| pull, {count:,} rows | {seconds:.1f} s, {seconds / floor:.2f} x floor | {measured.peak_mb:.0f} MB |"
        )
    return rows


def main() -> None:
    """Measure, print, keep."""
    if "--large" in sys.argv:
        keep("pull, large", large())
    else:
        keep("pull", standard())


if __name__ == "__main__":
    main()
