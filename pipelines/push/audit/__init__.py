"""The books of a push: what is published of it, and whether the account holds what was accepted.

    publish (schema imports);  reconcile ─▶ totals_compared, acknowledged;  adopt (a lost ledger);  alarms

What does not belong here: settling what is in doubt (`pipelines.push.revenue`).
"""
