"""The limits of the next call: which rows, how many of them, and which worker may make it.

    sizes (how large, learned from earlier calls) ─▶ chunks (rows cut into bodies);  turns, losses, retries (of rows)

What does not belong here: making the call (`send.sender`), and choosing the rows (`send.queries`).
"""
