"""Marts: one view per `.sql` file of this folder, in schema `marts` of the warehouse.

They are views: they cost a publish nothing, and are as fresh as the tables. Types and meanings of their columns are
declared in `schemas.marts`; the queries stand here. What does not belong here: tables.
"""

from collections.abc import Iterator
from importlib.resources import files

from pipelines.campaigns import segments
from schemas.derived.tables import TYPES, comments
from schemas.marts.registry import MARTS

_MACROS = """
CREATE OR REPLACE MACRO marts.utc_day(instant) AS make_timestamp(epoch_us(instant))::DATE;
COMMENT ON MACRO marts.utc_day IS
    'The UTC day of an instant, whatever the TimeZone setting; in a tenth of the time that AT TIME ZONE takes.';
CREATE OR REPLACE MACRO marts.hours_between(earlier, later) AS (epoch_us(later) - epoch_us(earlier)) / 3600000000;
COMMENT ON MACRO marts.hours_between IS 'Hours from one instant to another; negative where the other was before.';
CREATE OR REPLACE MACRO marts.is_opt_out(event) AS event IN ('unsubscribe', 'opt-out', 'opt_out');
COMMENT ON MACRO marts.is_opt_out IS 'Whether a webhook event of this name reports an opt-out.';
CREATE OR REPLACE MACRO marts.list_of(number) AS (
    SELECT CASE
        WHEN count(*) FILTER (status IS DISTINCT FROM 'deleted') = 1
            THEN min(id) FILTER (status IS DISTINCT FROM 'deleted')
        WHEN count(*) = 1 THEN min(id)
    END
    FROM main.lists WHERE lists.phone_number = number
);
COMMENT ON MACRO marts.list_of IS
    'The id of the list that a number stands for: the one that is not deleted, or a deleted one where the number has '
    'no other. Null where there is none, and where it may be one of several.'
"""


def statements() -> Iterator[str]:
    """What makes every mart; the tables that they read must be there (see `pipelines.warehouse.structure.tables`)."""
    yield "CREATE SCHEMA IF NOT EXISTS marts"
    yield _MACROS
    yield segments.macros()
    for name, mart in MARTS.items():
        columns = ", ".join(
            f'CAST("{field.name}" AS {TYPES[field.kind]}) AS "{field.name}"' for field in mart.fields
        )
        yield f"CREATE OR REPLACE VIEW marts.{name} AS SELECT {columns} FROM (\n{query(name)}\n)"
        yield from comments(f"marts.{name}", mart, mart.fields, kind="VIEW")


def query(name: str) -> str:
    """The SQL of a mart."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
