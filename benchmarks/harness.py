"""What the benchmarks share: the account they run against, running a script, and keeping the results.

What does not belong here: what is measured (`pull`, `push`).
"""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from measure import Measured, measure

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"


@contextmanager
def account(rows: int, shape: str = "clean", seconds: float = 0) -> Iterator[str]:
    """A server of made-up contacts, which takes any history (see `account`); yields its base URL."""
    command = [sys.executable, str(HERE / "account.py"), str(rows), shape, str(seconds)]
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


def keep(which: str, rows: Sequence[str]) -> None:
    """Print a table and keep it as a section of RESULTS.md, in place of its last results."""
    table = "\n".join(["| what | measured | |", "|---|---|---|", *rows])
    print(table)
    sections = _sections()
    sections[which] = f"{_machine()}\n\n{table}"
    parts = [f"## {name}\n\n{text}" for name, text in sorted(sections.items())]
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
