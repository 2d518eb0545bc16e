"""What is published of a push, and whether the account holds what was accepted.

    publish (schema imports) ─▶ publish_records;  alerts ─▶ late_revenue;
    reconcile ─▶ reconcile_query, acknowledged;  archive;  lost_ledger ─▶ adopt;  months

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
