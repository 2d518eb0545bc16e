"""The marts: each view for analysts with its columns' types and meanings, by what it is made of.

columns (what marts share) ─▶ lists, contacts, imports, offers_and_revenue, freshness, webhooks, campaigns ─▶ registry

How a mart is computed stands in `pipelines/warehouse/marts/<name>.sql`, whose columns are these. Figures are never
made up: what is not known is NULL, and the column says what it takes to be known. Days are UTC days.
"""
