"""The warehouse in older DuckDB clients: each is installed by `make test` in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from beginnings import Beginning, made_once
from installed import is_installed
from receiving import arrive, delivery, opt_out

from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, Account, running
from pipelines.settings import load_settings
from pipelines.warehouse.swap import STORAGE_VERSION, reading, replacing

LOCKS = sorted((Path(__file__).parents[1] / "clients").glob("duckdb-*.lock"))
INSTALLED = Path(sys.prefix) / "clients"

COUNT_ROWS = """
import json, sys
import duckdb
assert duckdb.__version__ == sys.argv[1], duckdb.__version__
connection = duckdb.connect(sys.argv[2], read_only=True, config={"threads": 1})
connection.execute("SET enable_progress_bar = false")  # a slow query would draw one into the output
names = connection.execute(
    "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
    " UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
).fetchall()
macros = connection.execute(
    "SELECT schema_name, function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
).fetchall()
names += [(schema, f'{name}"(now())--') for schema, name in macros]
print(json.dumps({f"{schema}.{name}": len(connection.execute(f'FROM "{schema}"."{name}"').fetchall())
                  for schema, name in names}))
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, moved_in: Beginning) -> Path:
    """A warehouse with rows in every kind of table: pulled, with history pushed, events received, pulled again.

    Beside it lies how many rows each table, view and macro has, as this version counts them.
    """

    def make(folder: Path) -> None:
        account = Account()
        with running(account) as server:
            settings = load_settings(
                api_key=API_KEY, base_url=server.url, data_dir=folder / "data", settle_seconds=0
            )
            moved_in.restore(account, settings)
            someone = account.contacts()[0]
            about = {"to": someone["phone_number"], "list_number": someone["list_number"]}
            opted_out = opt_out(someone["phone_number"], list_number=someone["list_number"])
            arrive(
                settings, delivery(1, **about), delivery(1, "pending"), opted_out, b"junk", {"event": "reply"}
            )
            someone["send_count"] += 1
            pull(settings, ["contacts", "revenue"], "run-3")
        (folder / "rows.json").write_text(json.dumps(_counted(settings.warehouse)))

    return made_once(tmp_path_factory, "clients", make) / "data" / "warehouse.duckdb"


def _counted(warehouse: Path) -> dict[str, int]:
    with reading(warehouse) as connection:
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
            " UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        macros = connection.execute(
            "SELECT schema_name, function_name FROM duckdb_functions() WHERE function_type = 'table_macro' "
            "AND NOT internal"
        ).fetchall()
        names += [(schema, f'{name}"(now())--') for schema, name in macros]
        return {
            f"{schema}.{name}": len(connection.execute(f'FROM "{schema}"."{name}"').fetchall())
            for schema, name in names
        }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_an_older_client_reads_every_table_and_every_mart(lock: Path, warehouse: Path) -> None:
    """Whatever this version reads, a client of the last two years reads too."""
    client = INSTALLED / lock.stem
    if not is_installed(client / "duckdb"):
        pytest.skip(f"{lock.stem} is not installed for this Python: make .venv/.clients")
    version = lock.stem.removeprefix("duckdb-")
    done = subprocess.run(
        [sys.executable, "-c", COUNT_ROWS, version, str(warehouse)],
        env={**os.environ, "PYTHONPATH": str(client)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((warehouse.parents[1] / "rows.json").read_text())
    assert found["main.contacts"] == found['main.contacts_as_of"(now())--'] == 299
    assert found["main.webhook_events"] == 5
    assert found["marts.messages"] == found["marts.opt_outs"] == found["marts.webhook_gaps"] == 1


def test_a_warehouse_of_another_storage_version_is_written_in_ours(tmp_path: Path) -> None:
    """The next publish carries tables, views, macros and comments over from a file that only DuckDB 2 reads."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT range AS x FROM range(1000)")
        connection.execute(
            "COMMENT ON COLUMN s.t.x IS 'a number'; CREATE VIEW v AS SELECT x FROM s.t WHERE x < 3"
        )
        connection.execute("CREATE MACRO s.twice(a) AS 2 * a")
        connection.execute("CREATE MACRO s.below(a) AS TABLE FROM s.t WHERE x < a")
    with replacing(path) as connection:
        connection.execute("CREATE TABLE other AS SELECT 1 AS x")
    with reading(path) as connection:
        version = (
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
        )
        assert connection.execute(version).fetchall() == [(f"{STORAGE_VERSION}+",)]
        assert connection.execute("SELECT count(*), sum(s.twice(x)) FROM s.t").fetchall() == [(1000, 999_000)]
        assert connection.execute("SELECT count(*) FROM s.below(7)").fetchall() == [(7,)]
        assert connection.execute("SELECT count(*) FROM v").fetchall() == [(3,)]
        comments = "SELECT comment FROM duckdb_columns() WHERE table_name = 't'"
        assert connection.execute(comments).fetchall() == [("a number",)]
