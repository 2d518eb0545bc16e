"""`.sql` files that attack, and the documented ones, by the command itself: as a push and as a dry run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done

from pipelines.sandbox import Account

Sync = Callable[..., Done]

ATTACKS = {
    "code by site-packages": "COPY (SELECT 'import os' AS a) TO '{outside}/evil.pth' (FORMAT csv, HEADER false)",
    "code by a WITH": "WITH t AS (COPY (SELECT 'import os' AS a) TO '{outside}/evil.pth') SELECT 'a' AS id",
    "the key": "SELECT content AS id FROM read_blob('/proc/self/environ')",
    "the key, by a pattern": "SELECT content AS id FROM read_text('/proc/*/environ')",
    "the key, by .env": "SELECT content AS id FROM read_text('.env')",
    "logging": "SELECT 'a' AS id FROM enable_logging('QueryLog', storage = 'file', storage_path = '{outside}')",
    "logging, called": "CALL enable_logging('QueryLog', storage = 'file', storage_path = '{outside}')",
    "export": "EXPORT DATABASE '{outside}/all'",
    "request": "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9/'",
    "request by a read": "FROM read_csv('http://127.0.0.1:9/x.csv', all_varchar = true)",
    "attach": "ATTACH '{outside}/new.duckdb' AS n",
    "two statements": "SELECT 'a' AS id; COPY (SELECT 1) TO '{outside}/o.csv'",
    "statement behind a comment": "/* SELECT */ COPY (SELECT 1) TO '{outside}/o.csv' -- SELECT",
    "closing bracket": "SELECT 1) TO '{outside}/o.csv'; --",
    "ledger": "SELECT content AS id FROM read_blob('../ledger.db')",
}


AT_ONCE = 8
"""How many stand side by side in one history: an error names ten files at most."""
assert len(ATTACKS) <= 2 * AT_ONCE


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder that history is read from."""
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("first", [0, AT_ONCE])
def test_attacks_do_nothing_and_each_is_named(
    sync: Sync, account: Account, history: Path, tmp_path: Path, first: int
) -> None:
    """Exit 2, each with its remedy, no key in it, nothing written anywhere, nothing sent.

    For what it reads or does, and not because it has too few columns.
    """
    attacks = dict([*ATTACKS.items()][first : first + AT_ONCE])
    outside = tmp_path / "outside"
    outside.mkdir()
    for number, attack in enumerate(attacks.values()):
        (history / f"sends-{number}.sql").write_text(attack.format(outside=outside), encoding="utf-8")
    (history / ".env").write_text("SECRET=x", encoding="utf-8")
    before = sorted(history.iterdir())
    for how in (["--dry-run"], []):
        done = sync("push", *how)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "lacks the column" not in " ".join(done.stderr.split())
        assert not re.search(r"trk_\w", done.stdout + done.stderr)
        for number, attack in enumerate(attacks):
            assert f"sends-{number}.sql" in done.stderr.replace("\n", ""), attack
        assert list(outside.iterdir()) == []
        assert sorted(history.iterdir()) == before
        assert not [request for request in account.log if request.method == "POST"]
