"""Takes over into the ledger what was sent and a lost or restored ledger does not know.

revenue (the command `adopt`): survivors of the ledger ─▶ amounts, as_sent ─▶ adopt ─▶ current_input
revenue that a person says is gone from the account (`resolve --account-emptied`): emptied
sends and clicks corrected in their file since (each push): survivors, archive ─▶ sent_otherwise

What does not belong here: detecting such a ledger, and the records that survive it (`audit.lost_ledger`), and how the
ledger keeps what is taken over (`ledger.queries.revenue.adopt`).
"""
