"""Whether the account holds what the ledger says that it accepted.

    reconcile ─▶ query (the contacts' totals), acknowledged (the API's answers) ─▶ differences (published)

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
