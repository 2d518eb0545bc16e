"""What is published of a push, and whether the account holds what was accepted.

    publish (schema imports);  reconcile ─▶ totals_compared, acknowledged;  adopt (a lost ledger);  alarms

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
