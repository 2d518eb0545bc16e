"""A ledger that was lost or restored from a backup, and what else knows what was sent.

calls_under_way (noted before each leaves) ─▶ pushed_calls (noted with each publish) ─▶ survivors ─▶ detect ─▶
forgotten_sends (shown), emptied (as a person says)
the other way round, a warehouse that was lost: lost_warehouse

What does not belong here: taking over what the ledger does not know (`audit.adopt`).
"""
