"""What is asked of the ledger about revenue, which the account counts twice where it is sent twice.

in_doubt ─▶ absent ─▶ alarms (it turned up after all)
sources (its files); corrected (what they say by now); adopt (from another record)

What does not belong here: deciding (`push.revenue`, `push.resolve`).
"""
