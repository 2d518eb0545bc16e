"""Queries of the ledger, by subject.

    db ─▶ rows, sums, run_counts, calls, pending, decisions;  revenue (queries about revenue only)

What does not belong here: the verbs that move rows (`ledger.ledger`).
"""
