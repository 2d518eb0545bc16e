"""Exports the warehouse's declarations for other tools, as a dbt project, without reading data.

declarations ─▶ dbt (the files' contents), yaml_text ─▶ folder (written if no one else changed the files)

There is only one tool so far; another tool gets a module next to `dbt`. What does not belong here: which tables
analysts read (`schemas.derived.catalog`).
"""
