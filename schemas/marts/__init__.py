"""The marts: each view for analysts with its columns' types and meanings, by subject.

columns (shared by marts) ─▶ lists, contacts, imports, offers_and_revenue, freshness, webhooks, campaigns ─▶ registry

The query of a mart is in `pipelines/warehouse/marts/<name>.sql`, with the same columns. Figures are never made up: an
unknown figure is NULL, and the column's text says when it is known. Days are UTC days.
"""
