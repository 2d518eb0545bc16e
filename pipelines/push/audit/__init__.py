"""What is published of a push, and whether the account holds what was accepted.

    publish (schema imports) ─▶ publish_records;  alerts ─▶ late_revenue;
    reconcile;  archive;  lost_ledger (noticed) ─▶ adopt (taken over);  months

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
