"""Sends revenue, which the API counts twice if it is sent twice: read totals, settle, send, and read again.

    loop ─▶ read_and_settle (the contacts' totals) ─▶ settle/ (what the totals show)
                  └─▶ turned_up_late (alarms) ─▶ said_to_be_there (contradicted);  waiting (how long)

What does not belong here: making the calls (`pipelines.push.send`), and settling by hand (`pipelines.push.resolve`).
"""
