"""Detects a ledger that was lost or restored from a backup, from other records of what was sent.

calls_under_way (noted before each leaves) ─▶ pushed_calls (noted with each publish) ─▶ survivors ─▶ detect ─▶
forgotten_sends (published)

What does not belong here: a person's remedies (`audit.adopt`), and a warehouse that was lost
(`audit.publish.lost_warehouse`).
"""
