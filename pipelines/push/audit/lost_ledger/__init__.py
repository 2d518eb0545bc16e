"""A ledger that was lost or restored from a backup, and what else knows what was sent.

calls_under_way (noted before each leaves) ─▶ pushed_calls (noted with each publish) ─▶ survivors ─▶ detect ─▶
forgotten_sends (shown)

What does not belong here: what a person does about it (`audit.adopt`), and a warehouse that was lost
(`audit.publish.lost_warehouse`).
"""
