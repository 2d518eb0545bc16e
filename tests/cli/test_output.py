"""What commands print for programs, as JSON or a line for each row, and what the quick ones import."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main
from commands import NOBODY, Done

from pipelines.cli.app import app
from pipelines.cli.reference import _leaves
from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, running, seed_account, write_history
from pipelines.settings import Settings

Sync = Callable[..., Done]


@pytest.fixture(scope="module")
def in_use(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Path:
    """A data directory with a pull and a push in it."""
    account = seed_account(contacts=50)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path_factory.mktemp("in-use") / "data")
        pull(settings, ["contacts", "lists", "offers"], "first")
        write_history(account, settings.history, sends=200)
        push(settings, ["sends", "revenue"])
    return settings.data_dir


_QUICK = """
import gc
import sys
from pipelines.cli import main

HEAVY = set("dagster pandas pandera pyarrow numpy httpx aiohttp alembic uvicorn pygal jinja2 markdown_it".split())

def run(*arguments, but=(), also=()):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        assert not end.code or arguments == ("doctor",), (arguments, end.code)
    assert gc.isenabled()  # it is off only while the program starts
    found = ((HEAVY | set(also)) - set(but)) & set(sys.modules)
    assert not found, (arguments, found)

run("--help", also=["sqlalchemy", "duckdb"])
run("pull", "--help", also=["sqlalchemy", "duckdb"])
run("runs", also=["sqlalchemy", "duckdb"])
for arguments in (["status"], ["status", "--json"], ["rejects"], ["rejects", "--json"], ["alerts"]):
    run(*arguments, also=["sqlalchemy", "filelock"])
run("doctor", but=["aiohttp"])  # it asks the account
"""


def test_quick_commands_import_nothing_heavy(in_use: Path, tmp_path: Path) -> None:
    """On data too they answer at once, since they load neither Dagster nor pandas nor pyarrow nor charts.

    Those that are run most often load no SQLAlchemy for a ledger that is a file. One process, from light to heavy.
    """
    done = subprocess.run(
        [sys.executable, "-c", _QUICK],
        cwd=tmp_path,
        env={
            **os.environ,
            "TRACKLY_API_KEY": API_KEY,
            "TRACKLY_BASE_URL": NOBODY,
            "TRACKLY_DATA_DIR": str(in_use),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


NO_DOCUMENT = {"ui", "sandbox", "webhooks serve"}
DOCUMENTS = (
    "status", "runs", "rejects", "alerts", "report", "resolve", "adopt", "lint", "rollback", "replay",
    "replay contacts --dry-run", "export dbt", "webhooks replay",
    "push sends --dry-run",
)  # fmt: skip


def test_json_is_one_document_of_every_command(
    in_use: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is on standard output; where a command fails, nothing at all."""
    group = typer.main.get_command(app)
    options = {
        name: {one for parameter in of.params for one in parameter.opts} for name, of in _leaves(group)
    }
    assert {name for name, names in options.items() if "--json" not in names} == NO_DOCUMENT
    monkeypatch.chdir(tmp_path)
    for name, value in (("DATA_DIR", str(in_use)), ("API_KEY", API_KEY), ("BASE_URL", NOBODY)):
        monkeypatch.setenv(f"TRACKLY_{name}", value)
    monkeypatch.setenv("TRACKLY_RETRY_SECONDS", "0")

    def run(command: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            app([*command.split(), "--json"], prog_name="trackly-sync")
        assert isinstance(end.value.code, int)
        return end.value.code, *capfd.readouterr()

    for command in DOCUMENTS:
        code, document, _ = run(command)
        assert code in (0, 3), command
        json.loads(document)
    for command in (
        "pull contacts",
        "runs nosuchrun",
        "rollback offerz",
        "rollback contacts",
        "demo --ui",
        "replay lists --x",
    ):
        code, document, told = run(command)
        assert code in (1, 2), command
        assert document == "", command
        assert "→" in told, command


TABLES = ("status", "runs", "rejects", "rejects sends", "rejects revenue", "rollback")


def test_what_programs_read_has_a_line_for_each_row(in_use: Path, sync: Sync) -> None:
    """Whatever COLUMNS says: cells are wrapped for terminals only. Other commands print their tables the same way."""
    for command in TABLES:
        at = {
            width: sync(
                *command.split(), TRACKLY_DATA_DIR=str(in_use), COLUMNS=str(width)
            ).stdout.splitlines()
            for width in (20, 400)
        }
        assert len(at[20]) == len(at[400]) > 1, command
    for path in (Path(__file__).parents[2] / "pipelines" / "cli").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "Table(" not in text or "out.print(" in text or path.name == "width.py", path
        assert "Console(" not in text or path.name == "consoles.py", path
