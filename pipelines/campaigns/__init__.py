"""Campaigns in the warehouse: the audience filter language as SQL, counts of audiences, and segments of messages.

JSON of an audience ─▶ filters (groups) ─▶ conditions (one each) ─▶ counts ─▶ publish;  segments (macros for marts)

What does not belong here: pulling creatives, audiences and schedules (`pipelines.pull`), and the marts over them
(`pipelines.warehouse.marts`).
"""
