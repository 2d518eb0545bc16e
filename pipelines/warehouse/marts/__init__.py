"""Marts: one view per `.sql` file of this folder, in schema `marts` of the warehouse.

Marts are views: they add no cost to a publish, and are as fresh as the tables. Types and meanings of their columns
are declared in `schemas.marts`; the queries stand here, and in `macros` what several of them use. What does not
belong here: tables.
"""

from collections.abc import Iterator
from importlib.resources import files

from pipelines.campaigns import segments
from pipelines.warehouse.marts.macros import MACROS
from schemas.derived.tables import TYPES, comments
from schemas.marts.registry import MARTS


def statements() -> Iterator[str]:
    """Yield the statements for all marts.

    The tables that they read must exist (see `pipelines.warehouse.structure.tables`).
    """
    yield "CREATE SCHEMA IF NOT EXISTS marts"
    yield MACROS
    yield segments.macros()
    for name, mart in MARTS.items():
        columns = ", ".join(
            f'CAST("{field.name}" AS {TYPES[field.kind]}) AS "{field.name}"' for field in mart.fields
        )
        yield f"CREATE OR REPLACE VIEW marts.{name} AS SELECT {columns} FROM (\n{query(name)}\n)"
        yield from comments(f"marts.{name}", mart, mart.fields, kind="VIEW")


def query(name: str) -> str:
    """Return the SQL of a mart."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
