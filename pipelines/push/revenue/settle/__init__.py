"""What contacts' totals show of revenue: which rows they have, as numbers say; nothing here reads or writes.

    settle (verdicts on rows in doubt) ─▶ interval (between two readings) ─▶ subset_sum (which rows are in a sum)
    growth (since a row was settled) ─▶ subset_sum

What does not belong here: reading totals (`read_and_settle`), and what is looked for after rows were settled
(`turned_up_late`, `said_to_be_there`).
"""
