"""What is asked of the ledger, by subject.

    db ─▶ rows, sums, run_counts, calls, pending, decisions;  revenue (what is asked of revenue only)

What does not belong here: the verbs that move rows (`ledger.ledger`).
"""
