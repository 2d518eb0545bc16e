"""Every command in an empty data directory: 1 where it needs what is not there, 0 where "nothing" is an answer."""

from collections.abc import Callable

import pytest
from commands import Done

from pipelines.cli.app import COMMANDS

Sync = Callable[..., Done]

WITHOUT_DATA = {
    "diff contacts": 1,
    "diff contacts --from x": 1,
    "rollback": 0,
    "rollback contacts": 1,
    "rollback contacts --dry-run": 1,
    "rollback contacts --to x": 1,
    "rollback contacts --json": 1,
    "replay": 0,
    "replay contacts": 1,
    "replay contacts --dry-run": 1,
    "pull --since-last": 1,
    "rejects": 1,
    "rejects contacts": 1,
    "rejects sends": 1,
    "resolve": 0,
    "resolve x --as accepted --reason y": 1,
    "resolve --acknowledge 3 --reason y": 1,
    "resolve --differs": 0,
    "adopt": 0,
    "status": 0,
    "runs": 0,
    "runs abc": 1,
    "logs": 1,
    "logs abc": 1,
    "alerts": 0,
    "alerts --exit-code": 1,
    "lint": 1,
    "report": 0,
    "export dbt": 0,
    "push": 2,  # its input is not the data directory's: files are to be named
}
"""Exit codes by command line."""

BEGIN = {"pull", "reconcile", "doctor", "ui", "webhooks", "demo", "sandbox"}
"""Commands that need no data, or ask the account first."""


def test_every_command_is_in_the_table() -> None:
    """A new one has its line here, or begins with nothing by its nature."""
    assert {line.split()[0] for line in WITHOUT_DATA} | BEGIN == {command.name for command in COMMANDS}


@pytest.mark.parametrize("line", WITHOUT_DATA)
def test_codes_agree_where_there_is_nothing_yet(sync: Sync, line: str) -> None:
    """The command line is right, so it is no 2; what to run first is named."""
    done = sync(*line.split())
    assert done.returncode == WITHOUT_DATA[line], done.stderr
    if done.returncode and "--exit-code" not in line:
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert "  → " in done.stderr
