"""Temporary tables of a stage: each name belongs to one module, so that no two have different columns."""

import re
from collections import defaultdict
from pathlib import Path

PUSH = Path(__file__).parents[2] / "pipelines" / "push"
WAREHOUSE = "audit"
"""A room that works in the warehouse, or in a database of its own."""

_MADE = re.compile(r"TEMP TABLE (\w+)")


def test_no_two_modules_make_a_table_of_one_name() -> None:
    """In the connection of a stage, which outlives each of the modules that use it."""
    makers: dict[str, set[str]] = defaultdict(set)
    for path in PUSH.rglob("*.py"):
        module = str(path.relative_to(PUSH))
        if path.relative_to(PUSH).parts[0] != WAREHOUSE:
            for name in _MADE.findall(path.read_text(encoding="utf-8")):
                makers[name].add(module)
    assert {"known", "parents", "totals"} <= makers.keys()
    assert {name: modules for name, modules in makers.items() if len(modules) > 1} == {}
