"""The warehouse's declarations for other tools: a dbt project. Nothing of the data is read.

declarations ─▶ dbt (the files' contents), yaml_text ─▶ folder (written where nobody else changed them)

Three modules, since one tool is all there is: another gets a module beside `dbt`. What does not belong here: which
tables analysts read (`schemas.derived.catalog`).
"""
