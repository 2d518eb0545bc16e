"""What a ledger that was lost or restored does not know of what was sent, taken over into it.

revenue (the command `adopt`): what survives ─▶ amounts, as_sent ─▶ adopt ─▶ current_input
or it does not count any more, as a person says (`resolve --account-emptied`): emptied
sends and clicks corrected in their file since (each push): what survives, archive ─▶ sent_otherwise

What does not belong here: noticing such a ledger, what survives it (`audit.lost_ledger`), and how the ledger keeps
what is taken over (`ledger.queries.revenue.adopt`).
"""
