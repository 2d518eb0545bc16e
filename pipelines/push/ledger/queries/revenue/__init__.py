"""Queries of the ledger about revenue, which the account counts twice if it is sent twice.

in_doubt ─▶ absent ─▶ alarms (rows that turned up after all)
sources (the files of rows); corrected (their present likeness); adopt (rows taken over from another record)

What does not belong here: deciding (`push.revenue`, `push.resolve`).
"""
