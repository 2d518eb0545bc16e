"""What is published about a push, and whether the account holds what was accepted.

    archive/ (what was sent) ─▶ lost_ledger/ (noticed) ─▶ publish/ (schema imports) ─▶ late_revenue, found_twice
    ─▶ alerts;  adopt/ (a lost ledger taken over);  reconcile ─▶ reconcile_query, balances

What does not belong here: settling rows in doubt (`pipelines.push.revenue`).
"""
