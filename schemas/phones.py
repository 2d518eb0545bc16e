"""The form of phone numbers: E.164 (/api-reference/v2/overview).

What does not belong here: hashing them (`pipelines.privacy`), and the checks of columns (`schemas.columns`).
"""

E164 = r"\+[1-9][0-9]{6,14}"
"""As a regular expression of Python, RE2 (DuckDB) and pandas, without anchors."""
