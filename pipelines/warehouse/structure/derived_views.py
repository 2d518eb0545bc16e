"""Views over lists in pulled rows: `main.creative_links` and `main.schedule_blasts`, one row per element.

Since they are views, they always match the published snapshots, also after a rollback or a replay. What does not
belong here: their columns (`schemas`), histories, and marts.
"""

from collections.abc import Iterator

from schemas.derived.tables import TYPES, comments
from schemas.registry import DERIVED

_ID_KEY = """
CREATE OR REPLACE MACRO main.id_key(id) AS
    CASE WHEN regexp_full_match(id, '[0-9A-Fa-f]{24}') THEN lower(id) ELSE id END;
COMMENT ON MACRO main.id_key IS
    'An id to compare by: 24 hexadecimal digits are the same id in either case; other ids and slugs are not changed.'
"""

_QUERIES = {
    "creative_links": """
SELECT
    link.creative_id,
    link.position,
    link.element ->> '$.key' AS key,
    link.offer_id,
    link.element ->> '$.url' AS url,
    nullif(json_extract(link.element, '$.url_params')::VARCHAR, 'null') AS url_params,
    coalesce(by_id.id, by_slug.id) AS resolved_offer_id,
    CASE WHEN by_id.id IS NOT NULL THEN 'id' WHEN by_slug.id IS NOT NULL THEN 'slug' END AS matched_by,
    link.synced_at,
    link.snapshot
FROM (
    SELECT *, element ->> '$.offer_id' AS offer_id FROM ({elements})
) AS link
LEFT JOIN (
    SELECT main.id_key(id) AS key, min(id) AS id FROM main.offers GROUP BY ALL
) AS by_id ON by_id.key = main.id_key(link.offer_id)
LEFT JOIN (
    SELECT slug, min(id) AS id FROM main.offers WHERE slug IS NOT NULL GROUP BY slug
) AS by_slug ON by_slug.slug = link.offer_id
""",
    "schedule_blasts": """
SELECT
    schedule_id,
    position,
    element ->> '$.variant_name' AS variant_name,
    TRY_CAST(element ->> '$.percent_audience' AS DOUBLE) AS percent_audience,
    element ->> '$.message' AS message,
    element ->> '$.mms_image_url' AS mms_image_url,
    nullif(json_extract(element, '$.offer_links')::VARCHAR, 'null') AS offer_links,
    synced_at,
    snapshot
FROM ({elements})
""",
}

_ELEMENTS = {
    "creative_links": ("main.creatives", "creative_id", "offer_links"),
    "schedule_blasts": ("main.schedules", "schedule_id", "blasts"),
}
"""The table, the name of its id here, and the column of JSON lists whose elements are the rows."""


def statements() -> Iterator[str]:
    """Yield the statements for the views; the tables that they read must exist (see `tables`)."""
    yield _ID_KEY
    for name, dataset in DERIVED.items():
        query = _QUERIES[name].format(elements=_elements(*_ELEMENTS[name]))
        columns = ", ".join(
            f'CAST("{field.name}" AS {TYPES[field.kind]}) AS "{field.name}"' for field in dataset.fields
        )
        yield f"CREATE OR REPLACE VIEW main.{name} AS SELECT {columns} FROM ({query})"
        yield from comments(f"main.{name}", dataset, dataset.fields, kind="VIEW")


def _elements(table: str, id_name: str, column: str) -> str:
    """Return a query for the elements of a column of JSON lists, each with its position from 1.

    Other JSON has no elements.

    Args:
        table: the table with the column and an id.
        id_name: the name for the id.
        column: the column.
    """
    counted = (
        f"SELECT id AS {id_name}, {column} AS list, synced_at, snapshot, "
        f"unnest(range(1, json_array_length({column})::BIGINT + 1)) AS position FROM {table} "
        f"WHERE json_type({column}) = 'ARRAY'"
    )
    element = "json_extract(list, '$[' || (position - 1) || ']') AS element"
    return f"SELECT {id_name}, position, {element}, synced_at, snapshot FROM ({counted})"
