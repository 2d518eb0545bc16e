"""The version of a ledger's tables: creates them, upgrades them by Alembic, or refuses a newer version.

Alembic is imported only if there is something to do, because `status` checks the version each time. To change a
table: change `tables`, add a file to `migrations/versions`, and raise VERSION in `call_states`. What does not belong
here: the tables.
"""

from functools import cache

import sqlalchemy as sa

from pipelines.databases.sqlite_or_postgresql import making, sqlite_file
from pipelines.errors import StorageError
from pipelines.push.ledger.db.call_states import REMEDIES, VERSION
from pipelines.push.ledger.db.tables import ROWS
from pipelines.text.sanitize import plain

FIRST = "0001"
"""The version of ledgers that were made before versions were recorded."""

_VERSIONS = sa.table("push_version", sa.column("version_num", sa.Text))


def version(connection: sa.Connection) -> str | None:
    """Return the version of a ledger's tables; None if there are none."""
    tables = set(sa.inspect(connection).get_table_names())
    if _VERSIONS.name in tables:
        return connection.execute(sa.select(_VERSIONS.c.version_num)).scalar()
    return FIRST if ROWS.name in tables else None


def upgrade(engine: sa.Engine, url: str) -> None:
    """Create the tables, or upgrade those of an older program; one process at a time.

    Raises:
        StorageError: the tables are of a newer program, or of another one.
    """
    file = sqlite_file(url)
    if file is None or file.exists():
        with engine.begin() as connection:
            if version(connection) == VERSION:
                return
    with making(url, REMEDIES), engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # `making` does it for SQLite
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('trackly-sync upgrade'))"))
        found = version(connection)
        _refuse_others(found)
        if found != VERSION:
            if file:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver leaves it out before a CREATE
            _migrate(connection, found)


def _refuse_others(found: str | None) -> None:
    """Raise if another program, or a newer version of this one, wrote the tables."""
    if found is not None and not found.isdigit():
        raise StorageError(
            f"The ledger's version is unknown to this program: {plain(found)}.", REMEDIES.damaged
        )
    if found is not None and found > VERSION:
        raise StorageError(
            f"The ledger was written by a newer Trackly Sync (its version is {found}, this one knows {VERSION}).",
            "Install the newer Trackly Sync again.",
        )


def _migrate(connection: sa.Connection, found: str | None) -> None:
    if found is None and connection.dialect.name == "sqlite":
        for statement in _making():
            connection.exec_driver_sql(statement)
    else:
        _run_migrations(connection, found)


@cache
def _making() -> tuple[str, ...]:
    """Return statements that create SQLite's tables; all migrations run in memory for it, once a process."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        _run_migrations(connection, None)
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        made = connection.exec_driver_sql(f"{query} ORDER BY rowid").scalars().all()
    engine.dispose()
    return (*made, f"INSERT INTO {_VERSIONS.name} VALUES ('{VERSION}')")


def _run_migrations(connection: sa.Connection, found: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - its import takes longer than all of `status`
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", "pipelines.push.ledger:migrations")
    config.attributes["connection"] = connection
    if found == FIRST:
        command.stamp(config, FIRST)
    command.upgrade(config, VERSION)
