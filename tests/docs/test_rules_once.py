"""Rules that stood in several places stand in one: nobody writes them again elsewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SANDBOX = ROOT / "pipelines" / "sandbox"
"""Shares no code with the engine, on purpose."""

CAGED = ROOT / "pipelines" / "push" / "stage" / "query_process.py"
"""Runs with nothing of ours to import, so that it has two rules of its own."""

RULES = {
    "money's unit": (r"[*/] ?10_?000\b(?!_)|\b0\.0001\b", "schemas/values/money.py"),
    "the largest amount": (r"\b1e11\b|\b100_000_000_000\b|10\*\*11", "schemas/values/money.py"),
    "E.164": (r"\[1-9\]\[0-9\]\{6,14\}", "schemas/values/phones.py"),
    "which outcomes are left out": (
        r"rejected['\"], ['\"]quarantined|REJECTED, Outcome\.QUARANTINED",
        "schemas/values/outcomes.py",
    ),
    "which outcomes are in the account": (
        r"ACCEPTED\}?['\"]?, ['\"]?\{?Outcome\.DUPLICATE",
        "schemas/values/outcomes.py",
    ),
    "exit codes": (r"\b(?:STOPPED|TERMINATED|LEFT_OUT|USAGE) = \d", "pipelines/process/exit_codes.py"),
    "names and texts in SQL": (r"replace\(['\"]['\"']{1,3}, ['\"]['\"']{2,4}\)", "schemas/derived/tables.py"),
    "DuckDB's memory": (r"['\"]\d+MB['\"]", "pipelines/databases/duckdb_memory.py"),
    "a row's own outcome, else its call's": (
        r"outcome\.is_\(None\), (?:ANSWERED|CHUNKS)|coalesce\(ROWS\.c\.outcome",
        "pipelines/push/ledger/db/row_outcome.py",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_stands_in_one_module(rule: str) -> None:
    """Its pattern is found in its module and nowhere else."""
    pattern, home = RULES[rule]
    files = [
        path
        for room in ("schemas", "pipelines", "assets")
        for path in (ROOT / room).rglob("*.*")
        if path.suffix in {".py", ".sql"} and SANDBOX not in path.parents and path != CAGED
    ]
    found = {
        str(path.relative_to(ROOT)) for path in files if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found == {home}
