"""Data that needs more than the rows of one endpoint: revenue, contacts' totals, sizes of audiences.

revenue_source (events, or totals); revenue_changes (rows out of totals); contact_totals (for the push);
audience_sizes (counted on request)

What does not belong here: how pages are read (`pull.read`).
"""
