"""A ledger that was lost or restored from a backup, and what the warehouse still knows of what was sent.

detect ─▶ adopt (revenue: taken over) and forgotten_sends (sends and clicks: shown)

What does not belong here: writing to the ledger (`ledger.queries.revenue.adopt`).
"""
