"""What is published of a push, and whether the account holds what was accepted.

    publish (schema imports) ─▶ publish_records;  alerts ─▶ late_revenue;  lost_ledger (noticed) ─▶ adopt (taken over)
    reconcile ─▶ reconcile_query, acknowledged ─▶ publish_differences;  archive

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
