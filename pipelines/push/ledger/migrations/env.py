"""Run by Alembic: the migrations, on the connection that `pipelines.push.ledger.db.upgrade` passes on."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="push_version",
    transaction_per_migration=False,
)
context.run_migrations()
