"""Which rows of revenue contacts' totals show to be stored: arithmetic only, without reading or writing.

    settle (verdicts on rows in doubt) ─▶ interval (between two readings) ─▶ subset_sum (which rows make a sum)
    growth (since a row was settled) ─▶ subset_sum

What does not belong here: reading totals (`read_and_settle`), and searching for rows after they were settled
(`turned_up_late`, `said_to_be_there`).
"""
